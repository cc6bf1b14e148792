// Resets, and what RFC 5961 makes of blind ones; the answers to segments that belong nowhere (RFC 9293 §3.5.2, §3.10.7.1).

import { expect } from 'vitest'
import { IpAddress } from '../../src/ip/address.ts'
import { PROTOCOL } from '../../src/ip/header.ts'
import { SegmentPlan } from '../../src/tcp/header.ts'
import { established, Script, scenario } from './script.ts'
import { inState } from './states.ts'
import { segmentBytes, wrapIp } from './wire.ts'
import { currentWorld } from './world.ts'

scenario(
  'only a reset at exactly RCV.NXT is believed; elsewhere in the window it is challenged (RFC 5961 §3.2)',
  () => {
    const c = established()
    c.in('R 2').out('. 1 ack 1').in('R 65535').out('. 1 ack 1').in('R 65536').quiet().in('R 0').quiet()
    expect(c.state).toBe('ESTABLISHED')
    c.in('R 1')
    expect(c.connection.error?.code).toBe('ECONNRESET')
  },
)

scenario('a true peer answers the challenge with a reset that fits (RFC 5961 §3.2)', () => {
  const c = established()
  c.in('R 500').out('. 1 ack 1').in('R 1')
  expect(c.state).toBe('CLOSED')
})

scenario('a reset with an acknowledgement, or with text, is a reset (RFC 9293 §3.5.3 [SHLD-2])', () => {
  for (const line of ['R. 1 ack 1', 'R. 1 ack 77777', 'R 1:20', 'RF. 1 ack 1', 'RS 1']) {
    const c = established()
    c.in(line)
    expect(c.connection.error?.code, line).toBe('ECONNRESET')
  }
})

scenario('a SYN in a synchronized state is challenged whatever its number (RFC 5961 §4.2)', () => {
  const c = established()
  c.in('S 1')
    .out('. 1 ack 1')
    .in('S 3000')
    .out('. 1 ack 1')
    .in('S -3000')
    .out('. 1 ack 1')
    .in('S. 1 ack 1')
    .out('. 1 ack 1')
  expect(c.state).toBe('ESTABLISHED')
})

scenario('an acknowledgement is believed from SND.UNA - MAX.SND.WND to SND.NXT (RFC 5961 §5.2 [MAY-12])', () => {
  const c = established({ win: 1000, mss: 1000 })
  c.write(1000).out('P. 1:1001 ack 1').in('. ack 1001 win 500')
  const taken = (line: string): boolean => {
    c.in(line).out('. 1001 ack 1')
    return c.connection.readableBytes > 0
  }
  expect(taken('P. 1:11 ack 0')).toBe(false) // MAX.SND.WND is 1000
  expect(taken('P. 1:11 ack 1002')).toBe(false)
  c.in('P. 1:11 ack 1').reads(10)
  c.advance(40).out('. 1001 ack 11')
  c.in('P. 11:21 ack 1001').reads(10).advance(40).out('. 1001 ack 21')
})

scenario('resets are never answered (RFC 9293 §3.10.7.1)', () => {
  new Script().in('R 5', 'R. 5 ack 6').quiet()
})

scenario(
  'a segment for no connection: its ACK is the number of the reset, or the reset acknowledges it (RFC 9293 §3.10.7.1)',
  () => {
    const c = new Script()
    c.in('. 5 ack 77').out('R 77 win 0 <>')
    c.in('P 5:25').out('R. 0 ack 25')
    c.in('F 5').out('R. 0 ack 6')
    c.in('SF 5:10').out('R. 0 ack 12')
    c.in('none 5').out('R. 0 ack 5')
    expect(c.stack.drops.get('tcp-no-listener')).toBe(5)
    expect(c.stack.tcp.counters.TcpOutRsts).toBe(5)
  },
)

scenario('at most 64 resets wait to be sent', () => {
  const c = new Script()
  c.in(...Array.from({ length: 100 }, () => '. 5 ack 6'))
  expect(c.drain().length).toBe(64)
  c.in('. 5 ack 7').out('R 7')
})

scenario(
  'a reset in CLOSE-WAIT or FIN-WAIT is an error, in CLOSING, LAST-ACK and TIME-WAIT it is an end (RFC 9293 §3.10.7.4, second check)',
  () => {
    for (const [state, code] of [
      ['FIN-WAIT-1', 'ECONNRESET'],
      ['FIN-WAIT-2', 'ECONNRESET'],
      ['CLOSE-WAIT', 'ECONNRESET'],
      ['CLOSING', undefined],
      ['LAST-ACK', undefined],
      ['TIME-WAIT', undefined],
    ] as const) {
      const { c, rcvNxt } = inState(state)
      c.in(`R ${rcvNxt}`)
      expect([state, c.state, c.connection.error?.code]).toEqual([state, 'CLOSED', code])
    }
  },
)

scenario('after a reset no text can be read, and what was queued is gone (RFC 9293 §3.10.7.4, second check)', () => {
  const c = established()
  c.in('P. 1:11 ack 1').in('R 11')
  expect(c.connection.readableBytes).toBe(0)
  expect(c.events()).toEqual(['readable', 'error', 'closed'])
  c.silent(60_000)
})

scenario(
  'a segment from port 0, to port 0, cut off, or to a group is dropped in silence (RFC 9293 §3.9.2.3 [MUST-57] [MUST-63])',
  () => {
    const c = new Script({ passive: true }).listen()
    const plan = new SegmentPlan()
    plan.flags = 2
    plan.sourcePort = 0
    plan.destinationPort = 80
    const none = new Uint8Array(0)
    const syn = (): Uint8Array => segmentBytes(plan, none)
    c.deliver(wrapIp(c.remote, c.local, PROTOCOL.TCP, syn()))
    plan.sourcePort = 5
    plan.destinationPort = 0
    c.deliver(wrapIp(c.remote, c.local, PROTOCOL.TCP, syn()))
    c.deliver(wrapIp(c.remote, c.local, PROTOCOL.TCP, new Uint8Array(19)))
    plan.destinationPort = 80
    const broken = syn()
    broken[12] = 0x40
    c.deliver(wrapIp(c.remote, c.local, PROTOCOL.TCP, broken))
    const groups = currentWorld().family === 4 ? ['224.0.0.1', '255.255.255.255', '10.0.0.255'] : ['ff02::1']
    for (const to of groups) c.deliver(wrapIp(c.remote, IpAddress.parse(to), PROTOCOL.TCP, syn()))
    const strangers =
      currentWorld().family === 4 ? ['224.0.0.1', '127.0.0.1', '0.0.0.0', '10.0.0.255'] : ['ff02::1', '::1']
    for (const from of strangers) c.deliver(wrapIp(IpAddress.parse(from), c.local, PROTOCOL.TCP, syn()))
    c.quiet()
    expect(c.stack.drops.toJSON()).toEqual({
      'ip-martian-source': strangers.length,
      'tcp-bad-data-offset': 1,
      'tcp-not-unicast': groups.length,
      'tcp-port-zero': 2,
      'tcp-too-short': 1,
    })
  },
)

scenario('in LISTEN an ACK is reset, a RST and a segment without SYN are dropped (RFC 9293 §3.10.7.2)', () => {
  const c = new Script({ passive: true }).listen()
  c.in('. 5 ack 6').out('R 6').in('R 5').in('P 5:10').in('F 5').quiet()
  expect(c.stack.drops.toJSON()).toEqual({ 'tcp-not-accepted': 3, 'tcp-not-syn': 1 })
})

scenario('urgent text stays in line (RFC 6093 §4); a read stops at the mark', () => {
  const c = established()
  c.in('PU. 1:101 ack 1 urg 50').reads(50).reads(50).advance(40).out('. 1 ack 101')
})
