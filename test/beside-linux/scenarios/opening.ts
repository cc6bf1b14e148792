// Opening: both roles, the options, what is refused or lost, Fast Open, ECN.

import { MSG, PEER_PORT, REMOTE } from '../bench.ts'
import type { Policy } from '../peer.ts'
import { type Scenario, scenario } from '../scenario.ts'

const SUBSETS: readonly (readonly [string, Policy])[] = [
  ['all options', {}],
  ['no timestamps', { timestamps: false }],
  ['no SACK', { sack: false }],
  ['no window scale', { scale: -1, window: 60_000 }],
  ['no option but MSS', { timestamps: false, sack: false, scale: -1, window: 60_000 }],
  ['no options', { timestamps: false, sack: false, scale: -1, mss: -1, window: 60_000 }],
  ['an MSS of 536', { mss: 536 }],
]

const handshakes = SUBSETS.flatMap(([name, policy]): Scenario[] => [
  scenario(`client, peer with ${name}`, policy, async (s) => {
    const fd = s.socket()
    s.connect(fd)
    await s.wait(100)
    s.error(fd)
    s.write(fd, 2000)
    await s.wait(100)
  }),
  scenario(`server, peer with ${name}`, policy, async (s) => {
    const listener = s.listen()
    s.peer.connect(s.now)
    await s.wait(100)
    const fd = s.call('accept', listener, 0, 0).value
    s.write(fd, 2000)
    await s.wait(100)
  }),
])

const COOKIE = Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8])

export const opening: readonly Scenario[] = [
  ...handshakes,
  scenario('connecting to a port that refuses', { refuses: true }, async (s) => {
    const fd = s.socket()
    s.connect(fd)
    await s.wait(60)
    s.poll(fd)
    s.error(fd)
    s.read(fd)
  }),
  scenario('a SYN for a port where nobody listens', {}, async (s) => {
    s.peer.connect(s.now)
    await s.wait(60)
  }),
  scenario('an ACK for a port where nobody listens', {}, async (s) => {
    s.peer.irs = 5000
    s.peer.raw(s.now, { flags: '.', bare: true, seq: 1, ack: 1 })
    s.peer.raw(s.now, { flags: 'F', bare: true, seq: 1, length: 3 })
    s.peer.raw(s.now, { flags: 'R', bare: true, seq: 1 })
    s.peer.raw(s.now, { flags: '', bare: true, seq: 1, length: 10 })
    await s.wait(60)
  }),
  scenario('odd flags at a listener', {}, async (s) => {
    s.listen()
    s.peer.irs = 5000
    const segments = ['F', 'FPU', '', 'SF', 'SR', 'S.', '.', 'F.', 'R', 'R.']
    for (const flags of segments) {
      s.peer.raw(s.now, { flags, bare: true, seq: 100, ack: 1 })
      await s.wait(60)
    }
  }),
  scenario('simultaneous open', { silent: true }, async (s) => {
    const fd = s.socket()
    s.connect(fd)
    await s.wait(5)
    s.peer.change({ silent: false })
    s.peer.raw(s.now, { flags: 'S', seq: 0, bare: true })
    await s.wait(60)
    s.error(fd)
    s.peer.raw(s.now, { flags: '.', seq: 1, ack: 1, bare: true })
    await s.wait(60)
    s.poll(fd)
  }),
  scenario('SYN sent again', { silent: true }, async (s) => {
    s.connect(s.socket())
    await s.wait(3500)
  }),
  scenario('SYN,ACK sent again', { silent: true }, async (s) => {
    s.listen()
    s.peer.raw(s.now, { flags: 'S', seq: 0 })
    await s.wait(3500)
  }),
  scenario('SYN answered late, once it was sent again', { loseSyns: 1 }, async (s) => {
    const fd = s.socket()
    s.connect(fd)
    await s.wait(1200)
    s.write(fd, 14600 * 2)
    await s.wait(200)
  }),
  scenario('SYN,ACK with a wrong acknowledgement', { silent: true }, async (s) => {
    const fd = s.socket()
    s.connect(fd)
    await s.wait(5)
    s.peer.raw(s.now, { flags: 'S.', seq: 0, ack: 12345, bare: true })
    await s.wait(60)
    s.peer.raw(s.now, { flags: 'R.', seq: 0, ack: 12345, bare: true })
    await s.wait(60)
    s.poll(fd)
  }),
  scenario('a SYN comes twice', {}, async (s) => {
    s.listen()
    s.peer.connect(s.now)
    s.peer.raw(s.now, { flags: 'S', seq: 0 })
    await s.wait(200)
  }),
  scenario('RST in SYN-RECEIVED', { silent: true }, async (s) => {
    const listener = s.listen()
    s.peer.raw(s.now, { flags: 'S', seq: 0 })
    await s.wait(60)
    s.peer.raw(s.now, { flags: 'R', seq: 1, bare: true })
    await s.wait(60)
    s.call('accept', listener, 0, 0)
    await s.wait(1200)
  }),
  scenario('a wrong ACK in SYN-RECEIVED', { silent: true }, async (s) => {
    const listener = s.listen()
    s.peer.raw(s.now, { flags: 'S', seq: 0, bare: true })
    await s.wait(60)
    s.peer.raw(s.now, { flags: '.', seq: 1, ack: 5, bare: true })
    await s.wait(60)
    s.call('accept', listener, 0, 0)
  }),
  scenario('a listener that waits for text', {}, async (s) => {
    const listener = s.listen((fd) => s.set(fd, 'TCP_DEFER_ACCEPT', 3))
    s.peer.connect(s.now)
    await s.wait(300)
    s.call('accept', listener, 0, 0)
    s.peer.write(s.now, 100)
    await s.wait(100)
    const fd = s.call('accept', listener, 0, 0).value
    s.read(fd)
  }),
  scenario('Fast Open asks for a cookie, then uses it', { cookie: COOKIE, takesSynText: true }, async (s) => {
    const first = s.socket()
    const to = { sa_family: 2, sin_port: PEER_PORT, sin_addr: REMOTE }
    s.call('sendto', first, null, 500, MSG.FASTOPEN, to, 16)
    await s.wait(150)
    s.linger(first, 0)
    s.close(first)
    await s.wait(60)
    s.peer.restart(2_000_000)
    const second = s.socket()
    s.call('sendto', second, null, 500, MSG.FASTOPEN, to, 16)
    await s.wait(150)
  }),
  scenario('Fast Open whose cookie is refused', { cookie: COOKIE }, async (s) => {
    const to = { sa_family: 2, sin_port: PEER_PORT, sin_addr: REMOTE }
    const first = s.socket()
    s.call('sendto', first, null, 500, MSG.FASTOPEN, to, 16)
    await s.wait(150)
    s.linger(first, 0)
    s.close(first)
    await s.wait(60)
    s.peer.restart(2_000_000)
    s.peer.change({ cookie: undefined })
    s.call('sendto', s.socket(), null, 500, MSG.FASTOPEN, to, 16)
    await s.wait(300)
  }),
  scenario(
    'Fast Open, server: a cookie is asked for',
    { cookie: new Uint8Array(0) },
    async (s) => {
      s.listen((fd) => s.set(fd, 'TCP_FASTOPEN', 5))
      s.peer.connect(s.now)
      await s.wait(100)
    },
    { sysctls: { 'net.ipv4.tcp_fastopen': '3' } },
  ),
  scenario(
    'ECN, client',
    { ecn: true, marks: [3] },
    async (s) => {
      s.focus = { push: false }
      const fd = s.socket()
      s.set(fd, 'SO_SNDBUF', 150_000)
      s.connect(fd)
      await s.wait(100)
      s.write(fd, 30 * 1448)
      await s.wait(400)
    },
    { sysctls: { 'net.ipv4.tcp_ecn': '1' } },
  ),
  scenario('ECN, server', { ecn: true, marks: [3] }, async (s) => {
    s.focus = { push: false }
    const listener = s.listen((fd) => s.set(fd, 'SO_SNDBUF', 150_000))
    s.peer.connect(s.now)
    await s.wait(100)
    const fd = s.call('accept', listener, 0, 0).value
    s.write(fd, 30 * 1448)
    await s.wait(400)
  }),
]
