// The event stream (src/tcp/watch.ts): what an observer of a host's connections is told, and when.

import { expect, test } from 'vitest'
import { seq } from '../../src/tcp/seq.ts'
import type { TcpEvent } from '../../src/tcp/watch.ts'
import { Pair } from '../stack/pair.ts'
import { established, Script, scenario } from './script.ts'

function observed(c: Script): { events: TcpEvent[]; kinds: (kind: string) => TcpEvent[]; stop: () => void } {
  const events: TcpEvent[] = []
  const stop = c.stack.tcp.observe((event) => events.push(event))
  return { events, kinds: (kind) => events.filter((event) => event.kind === kind), stop }
}

scenario('every state of a connection is told, with the time of the step that led there', () => {
  const c = new Script()
  const { kinds } = observed(c)
  c.connect().out('S 0').advance(100).in('S. 0 ack 1 <mss 1460>').out('. 1 ack 1')
  c.advance(50)
    .call((k) => k.close())
    .out('F. 1 ack 1')
  c.in('F. 1 ack 2').out('. 2 ack 2').advance(60_000)
  expect(kinds('state').map((e) => e.kind === 'state' && `${(e.at - 10_000_000) / 1000} ${e.from} > ${e.to}`)).toEqual([
    '0 CLOSED > SYN-SENT',
    '100 SYN-SENT > ESTABLISHED',
    '150 ESTABLISHED > FIN-WAIT-1',
    '150 FIN-WAIT-1 > FIN-WAIT-2',
    '150 FIN-WAIT-2 > TIME-WAIT',
    '60150 TIME-WAIT > CLOSED',
  ])
})

scenario('slow start is seen as a window that grows, and the reason to wait with its clause', () => {
  const c = established({ tcp: { initialWindowSegments: 1 } })
  const { kinds } = observed(c)
  c.write(14_600).out('. 1:1461 ack 1')
  expect(kinds('hold')).toEqual([
    { kind: 'hold', at: c.now, reason: 'cwnd', text: 'the congestion window is full', clause: 'RFC 5681 §3.1' },
  ])
  c.advance(100).in('. 1 ack 1461').out('. 1461:2921 ack 1', '. 2921:4381 ack 1')
  const windows = kinds('window').map((e) => e.kind === 'window' && [e.cwnd / 1460, e.inFlight / 1460, e.acknowledged])
  expect(windows).toEqual([
    [1, 1, 0],
    [2, 0, 1460],
    [2, 2, 1460],
  ])
  expect(kinds('rtt').at(-1)).toMatchObject({ rttUs: 100_000, srttUs: 100_000, minRttUs: 100_000 })
})

scenario('a timeout shows as a doubled RTO, a window of one segment and a retransmission', () => {
  const c = established().write(2920).outText(1, 2921)
  const { events } = observed(c)
  c.advance(300).out('. 1:1461 ack 1')
  expect(events.map((e) => e.kind)).toEqual(['rtt', 'window', 'retransmit', 'window', 'hold'])
  expect(events[0]).toMatchObject({ rtoUs: 600_000 })
  expect(events[1]).toMatchObject({ cwnd: 1460, ssthresh: 2920, phase: 'loss' })
  expect(events[2]).toMatchObject({ seq: 1, length: 1460 })
})

scenario('an acknowledgement that waits says what for, and then why it went (RFC 9293 §3.8.6.3)', () => {
  const c = established({ tcp: { delayedAckUs: 40_000 } })
  const { kinds } = observed(c)
  c.in('P. 1:11 ack 1').advance(40).out('. 1 ack 11')
  expect(kinds('ack-hold')).toEqual([
    expect.objectContaining({ at: c.now - 40_000, reason: 'delayed', clause: 'RFC 9293 §3.8.6.3' }),
    expect.objectContaining({ at: c.now, reason: 'none', last: 'timer' }),
  ])
})

scenario('who has ended observing is told nothing more, and others still are', () => {
  const c = established()
  const first = observed(c)
  const second = observed(c)
  c.write(10).out('P. 1:11 ack 1')
  first.stop()
  const before = first.events.length
  c.in('. 1 ack 11')
  expect([first.events.length, second.events.length > before]).toEqual([before, true])
  second.stop()
  expect(c.connection.watch).toBeNull()
})

test('the windows told end where the transfer ended: everything acknowledged, nothing in flight', () => {
  const pair = new Pair({ seed: 5, sends: [300_000, 10], loss: 0.02 })
  const events: TcpEvent[] = []
  pair.hosts[0].stack.tcp.observe((event) => events.push(event))
  pair.transfer().expectDelivered()
  const { TcpRetransSegs } = pair.hosts[0].stack.tcp.counters
  const windows = events.flatMap((e) => (e.kind === 'window' ? [e] : []))
  expect(windows.at(-1)).toMatchObject({ inFlight: 0, phase: 'open' })
  expect(windows.at(-1)?.acknowledged).toBe(300_000 + 1) // and FIN
  expect(events.filter((e) => e.kind === 'retransmit').length).toBe(TcpRetransSegs)
  for (let i = 1; i < events.length; i++) expect(events[i].at).toBeGreaterThanOrEqual(events[i - 1].at)
})

scenario('a retransmission is counted from ISS beyond 2 GiB and 4 GiB, by an observer that came late too', () => {
  for (const gone of [2 ** 31 - 1000, 2 ** 31 + 5000, 2 ** 32 + 5000, 3 * 2 ** 32]) {
    const c = established({ rttMs: 100 })
    // As if so much text had been sent and acknowledged.
    const { snd, delivery, recovery, undo } = c.tcb
    delivery.delivered += gone
    snd.una = snd.nxt = recovery.point = recovery.highestSacked = recovery.judged = seq(snd.nxt + gone)
    undo.isPossible = false
    c.origin.iss = (c.origin.iss + gone) | 0
    const { kinds } = observed(c)
    c.stack.tcp.onStep = null
    c.call((connection) => connection.write(new Uint8Array(0)))
    c.write(1460).drain()
    c.advance(300).drain()
    expect(kinds('retransmit')).toMatchObject([{ seq: gone + 1, length: 1460 }])
  }
})

test('an observer that goes leaves the record of a connection as it found it, however often', () => {
  const c = established()
  const before = c.tcb.onState
  for (let i = 0; i < 3; i++) observed(c).stop()
  expect(c.tcb.onState).toBe(before)
})
