// RFC 9293 §3.9.1, §3.9.2: what TCP asks of IP, and what IP tells TCP.

import { expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { IpHeader } from '../../src/ip/header.ts'
import { parseIp } from '../../src/ip/parse.ts'
import { HEADROOM, Packet } from '../../src/link/device.ts'
import { Stack } from '../../src/stack/stack.ts'
import { icmp } from '../tcp/icmp-packet.ts'
import { connecting, established, Script, scenario } from '../tcp/script.ts'
import { currentWorld } from '../tcp/world.ts'

const ip = (text: string): IpAddress => IpAddress.parse(text)

/** Where the packets come from that the stack has to send now. */
function sources(stack: Stack, now: number): string[] {
  const found: string[] = []
  const packet = new Packet(new Uint8Array(HEADROOM + 65536))
  const header = new IpHeader()
  while (stack.pollTransmit(packet, now)) {
    expect(parseIp(packet.bytes, packet.start, packet.end, header)).toBe('ok')
    found.push(`${header.src}`)
  }
  return found
}

test('a SYN comes from the address that IP chose, or that was asked for, and so does all that follows (RFC 9293 §3.9.1.1 [MUST-43] [MUST-44] [MUST-45])', () => {
  const stack = new Stack({
    addresses: ['10.0.0.2/24', '10.0.0.3/24', 'fd00::2/64', 'fd00::3/64'],
    mtu: 1500,
    random: new SeededRandom(1),
    routes: [{ destination: ip('192.0.2.0'), prefixLength: 24, source: ip('10.0.0.3') }],
  })
  const cases: [string, string | undefined, string][] = [
    ['10.0.0.9', undefined, '10.0.0.2'],
    ['192.0.2.9', undefined, '10.0.0.3'],
    ['10.0.0.9', '10.0.0.3', '10.0.0.3'],
    ['fd00::9', undefined, 'fd00::2'],
    ['fd00::9', 'fd00::3', 'fd00::3'],
  ]
  for (const [remote, local, expected] of cases) {
    const c = stack.connect(
      { remote: ip(remote), remotePort: 80, local: local === undefined ? undefined : ip(local) },
      0,
    )
    expect(sources(stack, 0), `to ${remote}`).toEqual([expected])
    stack.handleTimeout(1_000_000) // the SYN again
    expect(sources(stack, 1_000_000)).toEqual([expected])
    c.abort()
    sources(stack, 1_000_000)
  }
})

scenario('a listener with an address of its own takes no SYN to another one (RFC 9293 §3.9.1.1 [MUST-43])', () => {
  const [own, other] = currentWorld().family === 4 ? ['10.0.0.2/24', '10.0.0.3'] : ['fd00::2/64', 'fd00::3']
  const c = new Script({ passive: true, stack: { addresses: [own, other] } })
  c.stack.listen({ port: 80, local: ip(other) })
  c.in('S 0 <mss 1460>').out('R. 0 ack 1 win 0')
})

scenario(
  'every code point goes to IP as the application has set it (RFC 9293 §3.9.1.9 [MUST-48] [SHLD-21] [SHLD-22])',
  () => {
    const c = established({ tcp: { nagle: false } })
    for (let codePoint = 0; codePoint < 64; codePoint++) {
      c.call((connection) => connection.configure({ trafficClass: codePoint << 2 })).write(1)
      expect(c.drain().map(({ trafficClass }) => trafficClass)).toEqual([codePoint << 2])
      c.in(`. 1 ack ${codePoint + 2}`)
    }
  },
)

scenario('a Source Quench changes nothing: no event, no smaller window (RFC 9293 §3.9.2.2 [MUST-55])', () => {
  const c = established()
  c.write(2920).drain()
  const { cwnd, ssthresh } = c.tcb.cc
  icmp(c, 'quench', 1)
  expect([c.tcb.cc.cwnd, c.tcb.cc.ssthresh, c.events()]).toEqual([cwnd, ssthresh, []])
  expect(c.stack.drops.get('icmp-ignored')).toBe(1)
  c.quiet().in('. ack 2921')
})

scenario('an ICMP error reaches the connection that it quotes, and no other (RFC 9293 §3.9.2.2 [MUST-54])', () => {
  const c = connecting()
  const first = c.connection
  const other = c.stack.connect({ remote: c.remote, remotePort: c.remotePort, localPort: c.localPort + 1 }, c.now)
  c.localPort++
  c.call(() => {}).drain()
  c.localPort--
  icmp(c, 'port', 0)
  expect([first.error?.code, other.error, other.state]).toEqual(['ECONNREFUSED', null, 'SYN-SENT'])
})

scenario(
  'what a router has said of the path bounds the segments of the next connection (RFC 9293 §3.7.1 [MUST-16])',
  () => {
    const c = established()
    c.write(1460).out('P. 1:1461 ack 1')
    icmp(c, 'too-big', 1, { mtu: 1340 })
    c.drain()
    c.call((connection) => connection.abort()).drain()
    c.connection = c.stack.connect({ remote: c.remote, remotePort: c.remotePort, localPort: c.localPort }, c.now)
    c.call(() => {}).drain()
    c.in('S. 0 ack 1 <mss 1460>').drain()
    expect([c.state, c.tcb.snd.mss]).toEqual(['ESTABLISHED', 1300])
  },
)

scenario(
  'keep-alive may be on from the start, of one connection and not of the next (RFC 9293 §3.8.4 [MUST-24])',
  () => {
    const c = established({ tcp: { keepAlive: true, keepAliveIdleUs: 10_000_000 } })
    c.silent(9999.999).advance(0.001).out('. 0 ack 1').in('. ack 1')
    c.call((connection) => connection.setKeepAlive(false)).silent(100_000)
    c.call((connection) => connection.setKeepAlive(true))
      .advance(10_000)
      .out('. 0 ack 1')
    const d = established()
    d.silent(100_000)
  },
)

scenario(
  'some probes of a closed window unanswered end nothing, all of them for R2 do (RFC 9293 §3.8.6.1 [MUST-37] [MAY-8])',
  () => {
    const c = established({ tcp: { retransmitTimeoutUs: 20_000_000, maxRtoUs: 4_000_000 } })
    c.in('. ack 1 win 0').write(1)
    for (let i = 0; i < 20; i++) {
      c.advance(4000).drain()
      c.in('. ack 1 win 0')
    }
    c.advance(15_000, true)
    expect(c.state).toBe('ESTABLISHED')
    c.advance(10_000, true)
    expect(c.state).toBe('CLOSED')
  },
)
