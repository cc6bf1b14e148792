import { expect } from 'vitest'
import { eventLine } from '../../src/trace/event-line.ts'
import { established, scenario } from '../tcp/script.ts'

scenario('an event is one line of JSON: seconds, the connection, and null for what is infinite', () => {
  const c = established()
  const lines: string[] = []
  c.stack.tcp.observe((event, connection) => lines.push(eventLine(event, connection, 1_000_000_000)))
  c.write(10).out('P. 1:11 ack 1')
  const event = JSON.parse(lines.at(-1) ?? '') as Record<string, unknown>
  const window = JSON.parse(lines.find((line) => line.includes('window')) ?? '') as Record<string, unknown>
  expect(window).toMatchObject({ time: (c.now + 1_000_000_000) / 1e6, kind: 'window', ssthresh: null })
  expect(event.connection).toMatch(/^\S+40000 \S+80$/)
  expect(event.at).toBeUndefined()
  expect(lines.every((line) => !line.includes('\n'))).toBe(true)
})
