// Sending: small segments, windows, recovery, timeouts, the path's MTU.

import { MSG } from '../bench.ts'
import type { Policy } from '../peer.ts'
import { type Scenario, scenario } from '../scenario.ts'

const MSS = 1448

/** A bulk of so many segments to a peer that loses some of it. */
function loss(name: string, policy: Policy, segments = 20, ms = 1500): Scenario {
  return scenario(name, policy, async (s) => {
    s.focus = { push: false }
    const fd = await s.client()
    s.write(fd, segments * MSS)
    await s.wait(ms)
  })
}

const bare: Policy = { sack: false, timestamps: false }

export const sending: readonly Scenario[] = [
  loss('a bulk without losses', {}, 60),
  loss('a bulk, every second segment acknowledged', { ackEvery: 2 }, 60),
  loss('a bulk, acknowledged late', { ackEvery: 100, ackDelayMs: 40 }, 20),
  scenario('PSH within a long write', {}, async (s) => {
    const fd = await s.client()
    s.write(fd, 30 * MSS)
    await s.wait(200)
  }),
  scenario('small writes, Nagle', { ackEvery: 2 }, async (s) => {
    const fd = await s.client()
    for (let i = 0; i < 4; i++) s.write(fd, 100)
    await s.wait(400)
  }),
  scenario('small writes without Nagle', { ackEvery: 2 }, async (s) => {
    const fd = await s.client((one) => s.set(one, 'TCP_NODELAY'))
    for (let i = 0; i < 4; i++) s.write(fd, 100)
    await s.wait(200)
  }),
  scenario('a write of two and a half segments, then a small one', {}, async (s) => {
    const fd = await s.client()
    s.write(fd, MSS * 2.5)
    s.write(fd, 100)
    await s.wait(200)
  }),
  scenario('a cork, and what pulls it', {}, async (s) => {
    const fd = await s.client((one) => s.set(one, 'TCP_CORK'))
    s.write(fd, 100)
    s.write(fd, 2000)
    await s.wait(100)
    s.set(fd, 'TCP_CORK', 0)
    await s.wait(100)
    s.set(fd, 'TCP_CORK', 1)
    s.write(fd, 100)
    await s.wait(400)
  }),
  scenario('MSG_MORE', {}, async (s) => {
    const fd = await s.client()
    s.write(fd, 100, MSG.MORE)
    s.write(fd, 100, MSG.MORE)
    await s.wait(100)
    s.write(fd, 100)
    await s.wait(100)
    s.write(fd, 100, MSG.MORE)
    await s.wait(400)
  }),
  scenario('a window of three segments', { window: 3 * MSS }, async (s) => {
    const fd = await s.client()
    s.write(fd, 10 * MSS)
    await s.wait(500)
  }),
  scenario('a window smaller than a segment', { window: 500 }, async (s) => {
    const fd = await s.client()
    s.write(fd, 1200)
    await s.wait(1200)
  }),
  scenario('a window that closes, probes, and an opening', { window: 4 * MSS }, async (s) => {
    const fd = await s.client()
    s.write(fd, 2 * MSS)
    await s.wait(100)
    s.peer.setWindow(s.now, 0)
    await s.wait(50)
    s.write(fd, 3 * MSS)
    await s.wait(1300)
    s.peer.setWindow(s.now, 100_000)
    await s.wait(200)
  }),
  scenario('a window that closes while text is under way', { window: 10 * MSS }, async (s) => {
    s.focus = { push: false }
    const fd = await s.client()
    s.write(fd, 30 * MSS)
    s.peer.change({ window: 0 })
    await s.wait(1000)
    s.peer.setWindow(s.now, 100_000)
    await s.wait(300)
  }),
  scenario('a window that shrinks below what was sent', { ackEvery: 0 }, async (s) => {
    const fd = await s.client()
    s.write(fd, 5 * MSS)
    await s.wait(5)
    s.peer.raw(s.now, { flags: '.', ack: 1, window: Math.floor((2 * MSS) / 128) })
    await s.wait(1000)
  }),
  loss('one segment lost', { lose: [5] }),
  loss('the first segment lost', { lose: [1] }),
  loss('three segments lost in one window', { lose: [3, 5, 8] }),
  loss('the last segment lost', { lose: [10] }, 10),
  loss('the last three segments lost', { lose: [8, 9, 10] }, 10),
  loss('all segments lost, and once more', { lose: [1, 2, 3, 4] }, 3, 3000),
  loss('the retransmission lost too', { lose: [5, 21] }, 20, 2000),
  loss('most acknowledgements lost', { loseAcks: [2, 3, 4, 6, 7, 8] }),
  loss('all acknowledgements of a flight lost', { loseAcks: [2, 3, 4, 5, 6, 7, 8, 9, 10, 11] }, 10),
  loss('one segment lost, no timestamps', { lose: [5], timestamps: false }),
  loss('one segment lost, no SACK', { ...bare, lose: [5] }),
  loss('three segments lost, no SACK', { ...bare, lose: [3, 5, 8] }, 20, 2500),
  loss('the last segment lost, no SACK', { ...bare, lose: [10] }, 10),
  loss('a segment that comes 5 ms late', { delay: { 5: 5 } }),
  loss('a segment that comes 60 ms late', { delay: { 5: 60 }, dsack: true }),
  loss('a segment that comes 60 ms late, no SACK', { ...bare, delay: { 5: 60 } }),
  loss('segments that come twice', { duplicate: [2, 3], dsack: true }),
  scenario('a spurious timeout, acknowledgements come late', { dsack: true }, async (s) => {
    const fd = await s.client()
    s.peer.change({ delayMs: 400 })
    s.write(fd, 8 * MSS)
    await s.wait(50)
    s.peer.change({ delayMs: 380 })
    await s.wait(1500)
  }),
  scenario('a spurious timeout without timestamps', { timestamps: false, dsack: true }, async (s) => {
    const fd = await s.client()
    s.peer.change({ delayMs: 400 })
    s.write(fd, 8 * MSS)
    await s.wait(50)
    s.peer.change({ delayMs: 380 })
    await s.wait(1500)
  }),
  scenario('timeouts, one after another', { ackEvery: 0 }, async (s) => {
    const fd = await s.client()
    s.write(fd, 500)
    await s.wait(3500)
  }),
  scenario('a user timeout', { ackEvery: 0 }, async (s) => {
    const fd = await s.client((one) => s.set(one, 'TCP_USER_TIMEOUT', 900))
    s.write(fd, 500)
    await s.wait(2500)
    s.poll(fd)
    s.write(fd, 10)
  }),
  scenario('a path that takes 1300 bytes', { pathMtu: 1300 }, async (s) => {
    const fd = await s.client()
    s.write(fd, 5 * MSS)
    await s.wait(600)
  }),
  scenario('an ICMP error that tells of a path of 10 bytes', { ackEvery: 0 }, async (s) => {
    const fd = await s.client()
    s.write(fd, 2 * MSS)
    await s.wait(10)
    s.peer.unreachable(s.now, 4, 1, 10)
    await s.wait(150)
  }),
  scenario('port unreachable in SYN-SENT', { silent: true }, async (s) => {
    const fd = s.socket()
    s.connect(fd)
    await s.wait(10)
    s.peer.unreachable(s.now, 3, 0)
    await s.wait(100)
    s.poll(fd)
    s.error(fd)
  }),
  scenario('host unreachable in SYN-SENT', { silent: true }, async (s) => {
    const fd = s.socket()
    s.connect(fd)
    await s.wait(10)
    s.peer.unreachable(s.now, 1, 0)
    await s.wait(100)
    s.poll(fd)
    s.error(fd)
  }),
  scenario('host and port unreachable in ESTABLISHED', { ackEvery: 0 }, async (s) => {
    const fd = await s.client()
    s.write(fd, 100)
    await s.wait(10)
    s.peer.unreachable(s.now, 1, 1)
    s.peer.unreachable(s.now, 3, 1)
    await s.wait(100)
    s.poll(fd)
    s.error(fd)
  }),
  scenario('urgent text', {}, async (s) => {
    const fd = await s.client()
    s.write(fd, 3, MSG.OOB)
    s.write(fd, 1000)
    s.write(fd, 1, MSG.OOB)
    await s.wait(200)
  }),
  scenario('writing again after a pause', {}, async (s) => {
    s.focus = { push: false }
    const fd = await s.client()
    s.write(fd, 30 * MSS)
    await s.wait(1500)
    s.write(fd, 30 * MSS)
    await s.wait(300)
  }),
  scenario('keep-alive, answered and then not', {}, async (s) => {
    const fd = await s.client((one) => {
      s.set(one, 'SO_KEEPALIVE')
      s.set(one, 'TCP_KEEPIDLE', 1)
      s.set(one, 'TCP_KEEPINTVL', 1)
      s.set(one, 'TCP_KEEPCNT', 2)
    })
    await s.wait(1500)
    s.peer.change({ silent: true })
    await s.wait(3500)
    s.poll(fd)
    s.read(fd)
  }),
]
