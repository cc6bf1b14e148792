// Orphans: connections closed by their application and not over are bounded in number (Linux's tcp_max_orphans).

import { expect } from 'vitest'
import { established, Script, scenario } from './script.ts'

const close = (c: Script): Script => c.call((connection) => connection.close())

scenario('one orphan more than there may be is reset, with TcpExtTCPAbortOnMemory, as Linux does', () => {
  const c = close(established({ stack: { orphanMax: 1 } })).out('F. 1 ack 1')
  c.localPort = 40001
  c.connect().out('S 0').in('S. 0 ack 1').out('. 1 ack 1')
  close(c).out('F. 1 ack 1', 'R. 2 ack 1')
  expect([c.state, c.stack.tcp.counters.TcpExtTCPAbortOnMemory, c.stack.tcp.connectionCount]).toEqual(['CLOSED', 1, 1])
})

scenario('an orphan that has come to its end, or to TIME-WAIT, makes room', () => {
  for (const [last, left] of [
    ['R 1', 0],
    ['F. 1 ack 2', 1],
  ] as const) {
    const c = close(established({ stack: { orphanMax: 1 } }))
      .out('F. 1 ack 1')
      .in(last)
    c.drain()
    expect(c.stack.tcp.connectionCount).toBe(left)
    c.localPort = 40001
    c.connect().out('S 0').in('S. 0 ack 1').out('. 1 ack 1')
    close(c).out('F. 1 ack 1').quiet()
    expect(c.stack.tcp.counters.TcpExtTCPAbortOnMemory).toBe(0)
  }
})

scenario('what the application still holds is no orphan, and the bound must be a number', () => {
  const c = established({ stack: { orphanMax: 0 } })
    .write(9)
    .out('P. 1:10 ack 1')
    .in('. ack 10')
  c.call((connection) => connection.shutdownWrite())
    .out('F. 10 ack 1')
    .quiet()
  close(c).out('R. 11 ack 1')
  for (const orphanMax of [-1, 1.5, Number.NaN]) expect(() => new Script({ stack: { orphanMax } })).toThrow(/orphanMax/)
})
