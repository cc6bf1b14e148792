// The send buffer as Linux reckons it (`heuristics: 'linux'`), beside a plain bound of octets.

import { expect } from 'vitest'
import { linuxCapacity } from '../../src/tcp/linux-send.ts'
import { established, type Script, type ScriptOptions, scenario } from './script.ts'

const mss = 1000
const fixed = { sendBufferBytes: 16_384, sendBufferAutotune: false }

function open(heuristics: 'rfc' | 'linux', options: ScriptOptions = {}): Script {
  return established({ mss, ...options, tcp: { heuristics, ...fixed, ...options.tcp } })
}

/** What each of `count` writes of so many octets takes. */
function takes(c: Script, length: number, count: number): number[] {
  return Array.from({ length: count }, () => {
    const taken = c.offer(length)
    c.drain()
    return taken
  })
}

scenario(
  'what has begun is filled: a super-segment of half the greatest window, beyond the bound (RFC 9293 §3.9.1.2)',
  () => {
    expect(takes(open('rfc'), 100_000, 2)).toEqual([16_384, 0])
    // Ten segments of the first go at once: the rest takes as much more, and then the bound is passed.
    expect(takes(open('linux'), 100_000, 3)).toEqual([32_000, 10_000, 0])
    expect(takes(open('linux', { win: 3999 }), 100_000, 1)).toEqual([1000])
    expect(takes(open('linux', { win: 4000 }), 100_000, 1)).toEqual([2000])
    expect(takes(open('linux', { win: 536 }), 100_000, 1)).toEqual([121 * 536])
  },
)

scenario('each super-segment costs its record: small ones fill the buffer sooner', () => {
  expect(takes(open('rfc', { win: 2000 }), 1000, 20).filter((taken) => taken > 0)).toHaveLength(17)
  // 1960 octets each: after eight of them 15,680 are charged, and one more may begin.
  expect(takes(open('linux', { win: 2000 }), 1000, 20).filter((taken) => taken > 0)).toHaveLength(9)
})

scenario('before there is a segment size the bound is one of octets', () => {
  const c = established({ passive: true, mss, tcp: { heuristics: 'linux', ...fixed } })
  expect(c.offer(100_000)).toBe(32_000)
  c.drain()
})

scenario('a buffer that may grow begins with the first window and its memory (tcp_init_buffer_space)', () => {
  const bound = (heuristics: 'rfc' | 'linux', sendBufferMaxBytes = 1 << 20): number => {
    const c = open(heuristics, { tcp: { sendBufferAutotune: true, sendBufferMaxBytes } }).write(10)
    c.drain()
    return c.tcb.snd.bufferBytes
  }
  expect([bound('rfc'), bound('linux'), bound('linux', 40_000)]).toEqual([16_384, 2 * 10 * (2048 + 256), 40_000])
})

scenario('an application that waits is woken when a third is free, and its buffer follows cwnd', () => {
  const c = open('linux', { tcp: { sendBufferAutotune: true, sendBufferMaxBytes: 1 << 20 } })
  takes(c, 100_000, 4)
  c.events()
  const bounds = []
  const woken = []
  for (let ack = 1001; ack < 10_000; ack += 1000) {
    c.in(`. ack ${ack}`).drain()
    bounds.push(c.tcb.snd.bufferBytes / (2 * (2048 + 256)))
    if (c.events().includes('writable')) woken.push(ack)
  }
  // One of the acknowledged segments more in cwnd each time, until nobody waits any more: 51,320 of 78,336 octets are charged then.
  expect(bounds).toEqual([11, 12, 13, 14, 15, 16, 17, 17, 17])
  expect(woken).toEqual([7001])
})

scenario('what may be written in all is what writes take while nothing is sent', () => {
  for (const [length, bytes] of [
    [700, 16_384],
    [1000, 16_384],
    [33_000, 100_000],
    [5000, 1],
  ]) {
    const c = open('linux', { win: 0, tcp: { sendBufferBytes: bytes } })
    const capacity = linuxCapacity(c.tcb)
    const taken = takes(c, length, 300).reduce((sum, one) => sum + one, 0)
    expect(taken, `in writes of ${length}`).toBe(capacity)
    expect(linuxCapacity(c.tcb)).toBe(0)
  }
})

scenario('given up with more in the buffer than its bound, what is held is the bound until it goes', () => {
  const c = open('linux', { win: 0 })
  takes(c, 33_000, 3)
  const held = c.tcb.snd.buffer.extent
  expect(held).toBeGreaterThan(fixed.sendBufferBytes)
  c.connection.configure({ heuristics: 'rfc' })
  expect(c.tcb.snd.bufferBytes).toBe(held)
  expect(takes(c, 1000, 1)).toEqual([0])
})
