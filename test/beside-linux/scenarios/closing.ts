// Closing: FIN in every state, half-close, resets, TIME-WAIT.

import { PEER_PORT, REMOTE } from '../bench.ts'
import { type Scenario, scenario } from '../scenario.ts'

export const closing: readonly Scenario[] = [
  scenario('close, the peer closes too', {}, async (s) => {
    const fd = await s.client()
    s.close(fd)
    await s.wait(60)
    s.peer.shutdown(s.now)
    await s.wait(200)
  }),
  scenario('the peer closes, then we', {}, async (s) => {
    const fd = await s.server()
    s.peer.shutdown(s.now)
    await s.wait(60)
    s.poll(fd)
    s.read(fd)
    s.write(fd, 100)
    await s.wait(60)
    s.close(fd)
    await s.wait(200)
  }),
  scenario('both close at once', { ackEvery: 0 }, async (s) => {
    const fd = await s.client()
    s.close(fd)
    s.peer.raw(s.now, { flags: 'F.', ack: 1 })
    await s.wait(60)
    s.peer.raw(s.now, { flags: '.', seq: 2, ack: 2 })
    await s.wait(400)
  }),
  scenario('a half-close, and text from the peer', {}, async (s) => {
    const fd = await s.client()
    s.write(fd, 1000)
    s.shutdown(fd)
    s.write(fd, 10)
    await s.wait(60)
    s.peer.write(s.now, 3000)
    await s.wait(100)
    s.read(fd)
    s.peer.shutdown(s.now)
    await s.wait(100)
    s.read(fd)
    s.close(fd)
    await s.wait(60)
  }),
  scenario('close with text that nobody has read', {}, async (s) => {
    const fd = await s.server()
    s.peer.write(s.now, 1000)
    await s.wait(60)
    s.close(fd)
    await s.wait(100)
  }),
  scenario('text comes after close', {}, async (s) => {
    const fd = await s.server()
    s.close(fd)
    await s.wait(60)
    s.peer.write(s.now, 100)
    await s.wait(100)
  }),
  scenario('linger 0', {}, async (s) => {
    const fd = await s.client()
    s.linger(fd, 0)
    s.close(fd)
    await s.wait(60)
  }),
  scenario('linger 0 with text that was not acknowledged', { ackEvery: 0 }, async (s) => {
    const fd = await s.client()
    s.linger(fd, 0)
    s.write(fd, 3000)
    s.close(fd)
    await s.wait(60)
  }),
  scenario('close with text to send', {}, async (s) => {
    const fd = await s.client()
    s.write(fd, 20 * 1448)
    s.close(fd)
    await s.wait(300)
    s.peer.shutdown(s.now)
    await s.wait(100)
  }),
  scenario('a FIN that is lost', { loseFins: 1 }, async (s) => {
    const fd = await s.client()
    s.write(fd, 100)
    s.close(fd)
    await s.wait(1000)
  }),
  scenario('a FIN that comes again in TIME-WAIT', {}, async (s) => {
    const fd = await s.client()
    s.close(fd)
    await s.wait(60)
    s.peer.shutdown(s.now)
    await s.wait(60)
    s.peer.raw(s.now, { flags: 'F.', seq: 1 })
    await s.wait(60)
    s.peer.raw(s.now, { flags: '.', seq: 2, length: 10 })
    await s.wait(60)
    s.peer.raw(s.now, { flags: '.', seq: -5, length: 3 })
    await s.wait(700)
    s.peer.raw(s.now, { flags: '.', seq: -5, length: 3 })
    await s.wait(100)
  }),
  scenario('a reset in TIME-WAIT', {}, async (s) => {
    const fd = await s.client()
    s.close(fd)
    await s.wait(60)
    s.peer.shutdown(s.now)
    await s.wait(60)
    s.peer.raw(s.now, { flags: 'R', seq: 2, bare: true })
    await s.wait(60)
    s.peer.raw(s.now, { flags: '.', seq: 2 })
    await s.wait(60)
  }),
  scenario('a new SYN in TIME-WAIT', {}, async (s) => {
    const listener = s.listen()
    s.peer.connect(s.now)
    await s.wait(100)
    const fd = s.accept(listener)
    s.close(fd)
    await s.wait(60)
    s.peer.shutdown(s.now)
    await s.wait(1200)
    s.begin()
    s.peer.restart(s.peer.iss + 100_000)
    s.peer.connect(s.now)
    await s.wait(100)
    s.call('accept', listener, 0, 0)
  }),
  scenario('an old SYN in TIME-WAIT', { timestamps: false }, async (s) => {
    const listener = s.listen()
    s.peer.connect(s.now)
    await s.wait(100)
    const fd = s.accept(listener)
    s.close(fd)
    await s.wait(60)
    s.peer.shutdown(s.now)
    await s.wait(100)
    s.peer.raw(s.now, { flags: 'S', seq: -100 })
    await s.wait(100)
  }),
  scenario('a SYN in FIN-WAIT-2 and a reset', {}, async (s) => {
    const fd = await s.client()
    s.shutdown(fd)
    await s.wait(60)
    s.peer.raw(s.now, { flags: 'S', seq: 1, bare: true })
    await s.wait(60)
    s.peer.raw(s.now, { flags: 'R', seq: 1, bare: true })
    await s.wait(60)
    s.read(fd)
    s.read(fd)
  }),
  scenario('a reset in CLOSE-WAIT', {}, async (s) => {
    const fd = await s.server()
    s.peer.shutdown(s.now)
    await s.wait(60)
    s.peer.raw(s.now, { flags: 'R', seq: 2, bare: true })
    await s.wait(60)
    s.poll(fd)
    s.write(fd, 10)
    s.write(fd, 10)
  }),
  scenario('a reset in ESTABLISHED, seen by calls', {}, async (s) => {
    const fd = await s.server()
    s.peer.raw(s.now, { flags: 'R', seq: 1, bare: true })
    await s.wait(60)
    s.poll(fd)
    s.read(fd)
    s.read(fd)
    s.write(fd, 10)
    s.close(fd)
  }),
  scenario('a FIN with text out of order', {}, async (s) => {
    const fd = await s.server()
    s.peer.raw(s.now, { flags: 'F.', seq: 101, length: 100 })
    await s.wait(60)
    s.peer.raw(s.now, { flags: '.', seq: 1, length: 100 })
    await s.wait(60)
    s.read(fd)
    s.read(fd)
  }),
  scenario('text behind a FIN', {}, async (s) => {
    const fd = await s.server()
    s.peer.raw(s.now, { flags: 'F.', seq: 1, length: 100 })
    await s.wait(60)
    s.peer.raw(s.now, { flags: '.', seq: 102, length: 100 })
    await s.wait(60)
    s.read(fd)
    s.read(fd)
  }),
  scenario('shutdown for reading, then text comes', {}, async (s) => {
    const fd = await s.server()
    s.shutdown(fd, 0)
    s.read(fd)
    s.peer.write(s.now, 100)
    await s.wait(60)
    s.read(fd)
    s.poll(fd)
  }),
  scenario('FIN-WAIT-2 that lasts', {}, async (s) => {
    const fd = await s.client((one) => s.set(one, 'TCP_LINGER2', 1))
    s.close(fd)
    await s.wait(1500)
    s.peer.write(s.now, 100)
    await s.wait(100)
  }),
  scenario('calls on a socket that was never connected', {}, async (s) => {
    const fd = s.socket()
    s.poll(fd)
    s.read(fd)
    s.write(fd, 10)
    s.shutdown(fd)
    s.call('listen', 999, 1)
    s.call('connect', fd, { sa_family: 2, sin_port: PEER_PORT, sin_addr: REMOTE }, 16)
    s.call('connect', fd, { sa_family: 2, sin_port: PEER_PORT, sin_addr: REMOTE }, 16)
    await s.wait(100)
    s.call('connect', fd, { sa_family: 2, sin_port: PEER_PORT, sin_addr: REMOTE }, 16)
    s.call('connect', fd, { sa_family: 2, sin_port: PEER_PORT, sin_addr: REMOTE }, 16)
    s.call('accept', fd, 0, 0)
  }),
]
