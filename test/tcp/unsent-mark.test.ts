// The mark on text that was not sent yet: an application that decides late what to send is given room late (Linux: TCP_NOTSENT_LOWAT).

import { expect } from 'vitest'
import { established, scenario } from './script.ts'

const mss = 1000
const marked = { mss, tcp: { notSentLowWaterBytes: 4000, initialWindowSegments: 4 } }

scenario(
  'a write takes no more than the mark of text that cannot be sent; without a mark, what the buffer holds',
  () => {
    const c = established(marked)
    expect(c.connection.writableBytes).toBe(4000)
    expect(c.offer(20_000)).toBe(4000)
    c.outText(1, 4001) // all of it was sent: there is room again at once, and the window is full
    expect(c.events()).toEqual(['writable'])
    expect(c.connection.writableBytes).toBe(4000)
    expect(c.offer(20_000)).toBe(4000)
    expect([c.connection.writableBytes, c.connection.unsentBytes, c.events()]).toEqual([0, 4000, []])
    expect(c.offer(1)).toBe(0)

    const d = established({ mss, tcp: { initialWindowSegments: 4 } })
    expect(d.offer(20_000)).toBe(20_000)
    d.outText(1, 4001, 1, false)
  },
)

scenario('the application hears of room when less than half of the mark is unsent, as in Linux', () => {
  const c = established(marked)
  c.write(4000).outText(1, 4001).write(4000)
  expect(c.offer(1)).toBe(0)
  expect(c.events()).toEqual([])
  c.in('. ack 1001').outText(4001, 6001, 1, false)
  expect([c.connection.unsentBytes, c.events()]).toEqual([2000, []]) // just half
  expect(c.connection.writableBytes).toBe(2000)
  c.in('. ack 2001').outText(6001, 8001)
  expect([c.connection.unsentBytes, c.events()]).toEqual([0, ['writable']])
})

scenario('sent text fills the buffer, not the mark', () => {
  const c = established({ mss, tcp: { notSentLowWaterBytes: 2000, sendBufferBytes: 6000 } })
  for (let at = 1; at < 6001; at += 2000) c.write(2000).outText(at, at + 2000)
  expect([c.connection.unsentBytes, c.connection.writableBytes]).toEqual([0, 0])
  expect(c.offer(1)).toBe(0)
  c.in('. ack 1001')
  expect([c.connection.writableBytes, c.events()]).toEqual([1000, []])
  c.in('. ack 2001')
  expect([c.connection.writableBytes, c.events()]).toEqual([2000, ['writable']])
})

scenario('a mark below a segment still lets a whole segment be written, one at a time', () => {
  const c = established({ mss, win: 1000, tcp: { notSentLowWaterBytes: 1 } })
  expect(c.connection.writableBytes).toBe(1000)
  expect(c.offer(5000)).toBe(1000)
  c.out('P. 1:1001 ack 1')
  expect(c.events()).toEqual(['writable'])
  expect(c.offer(5000)).toBe(1000) // the window is full: it waits
  expect([c.connection.writableBytes, c.events()]).toEqual([0, []])
  c.in('. ack 1001').out('P. 1001:2001 ack 1')
  expect(c.events()).toEqual(['writable'])
})

scenario('the mark can be set and taken away while the connection lives', () => {
  const c = established({ mss, tcp: { initialWindowSegments: 1 } })
  c.write(5000).out('. 1:1001 ack 1')
  c.call((connection) => connection.configure({ notSentLowWaterBytes: 4000 }))
  expect([c.connection.writableBytes, c.offer(1)]).toEqual([0, 0])
  c.call((connection) => connection.configure({ notSentLowWaterBytes: 1 << 26 }))
  expect(c.connection.writableBytes).toBeGreaterThan(100_000)
  expect(c.events()).toEqual(['writable'])
})
