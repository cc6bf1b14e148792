// Ports that are used again: SO_REUSEADDR, SO_REUSEPORT, TIME-WAIT's ports for active opens (RFC 9293 §3.6.1, §3.9.1.1; RFC 6191).

import { expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { HEADROOM, Packet } from '../../src/link/device.ts'
import { Stack } from '../../src/stack/stack.ts'
import { enterTimeWait } from '../../src/tcp/closing.ts'
import type { Listener } from '../../src/tcp/listener.ts'
import { setState } from '../../src/tcp/state.ts'
import { listening, scenario } from './script.ts'
import { inState } from './states.ts'

const ip = (text: string): IpAddress => IpAddress.parse(text)
const code = (name: string): unknown => expect.objectContaining({ code: name })
const out = new Packet(new Uint8Array(HEADROOM + 65536))

scenario(
  'a port with connections in TIME-WAIT is listened on with reuseAddress, the default, and not without (SO_REUSEADDR)',
  () => {
    const { c } = inState('TIME-WAIT', { passive: true, tcp: { mslUs: 1_000_000 } })
    c.listener?.close()
    expect(() => c.stack.listen({ port: 80, reuseAddress: false })).toThrow(code('EADDRINUSE'))
    expect(() => c.stack.listen({ port: 80, reuseAddress: false, local: c.local })).toThrow(code('EADDRINUSE'))
    expect(() => c.stack.listen({ port: 81, reuseAddress: false })).not.toThrow()
    c.stack.listen({ port: 80 }).close()
    c.silent(2000)
    expect(() => c.stack.listen({ port: 80, reuseAddress: false })).not.toThrow()
  },
)

scenario(
  'connections that are open stand in the way just so; those that are opening do not (RFC 9293 §3.9.1.1 [MUST-41] [MUST-42])',
  () => {
    const { c } = inState('ESTABLISHED', { passive: true })
    c.listener?.close()
    expect(() => c.stack.listen({ port: 80, reuseAddress: false })).toThrow(code('EADDRINUSE'))
    const again = c.stack.listen({ port: 80 })
    expect([c.state, again.port]).toEqual(['ESTABLISHED', 80])
    const opening = inState('SYN-SENT').c
    expect(() => opening.stack.listen({ port: opening.localPort, reuseAddress: false })).not.toThrow()
  },
)

test('no two listeners share an address and port unless both say reusePort; reuseAddress is not enough (SO_REUSEPORT)', () => {
  const s = new Stack({ addresses: ['10.0.0.2/24'], mtu: 1500, random: new SeededRandom(3) })
  const first = s.listen({ port: 80, reusePort: true })
  expect(() => s.listen({ port: 80, reuseAddress: true })).toThrow(code('EADDRINUSE'))
  s.listen({ port: 80, reusePort: true }).close()
  s.listen({ port: 80, reusePort: true, local: ip('10.0.0.2') })
  first.close()
  s.listen({ port: 81 })
  expect(() => s.listen({ port: 81, reusePort: true })).toThrow(code('EADDRINUSE'))
})

scenario(
  'of listeners that share a port each peer’s port belongs to one, however often it asks; an own address goes before all',
  () => {
    const c = listening()
    c.listener?.close()
    const group = Array.from({ length: 4 }, () => c.stack.listen({ port: 80, reusePort: true, backlog: 1000 }))
    const counts = (): number[] => group.map((listener) => listener.halfOpen)
    for (c.remotePort = 40000; c.remotePort < 40200; c.remotePort++) c.in('S 0 <mss 1460>').drain()
    const once = counts()
    expect(once.reduce((sum, count) => sum + count)).toBe(200)
    for (const count of once) expect(count).toBeGreaterThan(25)
    const owner = (): number => group.findIndex((listener: Listener, i) => listener.halfOpen !== once[i])
    c.remotePort = 39999
    c.in('S 0 <mss 1460>').drain()
    const chosen = owner()
    for (let i = 0; i < 5; i++) {
      c.in('R 1').in('S 0 <mss 1460>').drain()
      expect(owner()).toBe(chosen)
    }
    const own = c.stack.listen({ port: 80, reusePort: true, local: c.local })
    c.remotePort = 39998
    c.in('S 0 <mss 1460>').drain()
    expect(own.halfOpen).toBe(1)
    for (const one of group) one.close()
    c.drain()
  },
)

scenario('a cookie of one member is good for another: who it belongs to may change in between (RFC 4987 §3.6)', () => {
  const c = listening({ tcp: { synCookies: 'always' } })
  c.listener?.close()
  const first = c.stack.listen({ port: 80, reusePort: true })
  c.in('S 0 <mss 1460>')
  c.origin.iss = (c.origin.iss + c.drain()[0].seq) | 0
  const second = c.stack.listen({ port: 80, reusePort: true })
  first.close()
  c.in('. 1 ack 1').quiet()
  expect(second.pending).toBe(1)
})

scenario(
  'an active open takes the port of a connection in TIME-WAIT with reuseAddress, timestamps and a second’s age (RFC 6191 §2)',
  () => {
    const open = (ts: boolean, waitMs: number, reuseAddress: boolean) => {
      const { c } = inState('TIME-WAIT', { ts })
      const old = c.connection
      c.advance(waitMs)
      const { remote, remotePort, localPort } = c
      c.connection = c.stack.connect({ remote, remotePort, localPort, reuseAddress }, c.now)
      return { c, old }
    }
    expect(() => open(true, 1000, false)).toThrow(code('EADDRINUSE'))
    expect(() => open(true, 999, true)).toThrow(code('EADDRINUSE'))
    expect(() => open(false, 30_000, true)).toThrow(code('EADDRINUSE'))
    const { c, old } = open(true, 1000, true)
    expect([old.state, old.error, c.connection.state]).toEqual(['CLOSED', null, 'SYN-SENT'])
    expect((c.tcb.snd.iss - old.tcb.snd.nxt) | 0).toBe(65_537) // beyond all numbers of the old one
    expect(c.tcb.ts.offset).toBe(old.tcb.ts.offset) // so its timestamps are greater too
    c.call(() => {}).drain()
  },
)

/** More than are tried for a free one before one in TIME-WAIT will do. */
const PORTS = 3_000

/** A host whose every ephemeral port towards one peer is in TIME-WAIT since 0, with timestamps or without. */
function exhausted(timeWaitReuse: boolean, timestamps = true): Stack {
  const ephemeralPorts = [32_768, 32_767 + PORTS] as const
  const random = new SeededRandom(1)
  const s = new Stack({ addresses: ['10.0.0.2/24'], mtu: 1500, random, ephemeralPorts, tcp: { timeWaitReuse } })
  const config = { timestamps }
  for (let i = 0; i < PORTS; i++) {
    const { tcb } = s.connect({ remote: ip('10.0.0.1'), remotePort: 80, config }, 0)
    for (const state of ['ESTABLISHED', 'FIN-WAIT-1', 'FIN-WAIT-2'] as const) setState(tcb, state)
    enterTimeWait(tcb, 0)
  }
  while (s.pollTransmit(out, 0));
  return s
}

test('when TIME-WAIT holds all ephemeral ports an active open is refused; with timeWaitReuse it takes one of them', () => {
  const open = (s: Stack, now: number) => s.connect({ remote: ip('10.0.0.1'), remotePort: 80 }, now)
  const off = exhausted(false)
  expect(() => open(off, 2_000_000)).toThrow(code('EADDRNOTAVAIL'))
  expect(() => open(exhausted(true, false), 2_000_000)).toThrow(code('EADDRNOTAVAIL'))
  const on = exhausted(true)
  expect(() => open(on, 999_999)).toThrow(code('EADDRNOTAVAIL'))
  const ports = Array.from({ length: 100 }, () => open(on, 1_000_000).localPort)
  expect(new Set(ports).size).toBe(100)
  expect(on.tcp.connectionCount).toBe(PORTS)
})

test('connections get the ports of ephemeralPorts and no others; with none left it says so (RFC 6056 §3.2)', () => {
  const s = new Stack({
    addresses: ['10.0.0.2/24'],
    mtu: 1500,
    random: new SeededRandom(3),
    ephemeralPorts: [5000, 5002],
  })
  const open = () => s.connect({ remote: ip('10.0.0.1'), remotePort: 80 }, 0).localPort
  expect([open(), open(), open()].sort()).toEqual([5000, 5001, 5002])
  expect(open).toThrow(code('EADDRNOTAVAIL'))
  const wrong = { addresses: ['10.0.0.2/24'], mtu: 1500, random: new SeededRandom(3) }
  expect(() => new Stack({ ...wrong, ephemeralPorts: [5002, 5000] })).toThrow('ephemeralPorts is [first, last]')
})
