// Receiving: when it is acknowledged, what comes out of order or twice, windows, what must not be believed.

import { MSG } from '../bench.ts'
import type { RawSegment } from '../peer.ts'
import { type Scenario, scenario } from '../scenario.ts'

const MSS = 1448

/** Segments by hand into an open connection, one after another. */
function segments(name: string, list: readonly RawSegment[], readAtEnd = true): Scenario {
  return scenario(name, {}, async (s) => {
    const fd = await s.server()
    for (const one of list) {
      s.peer.raw(s.now, one)
      await s.wait(60)
    }
    if (readAtEnd) s.read(fd)
    await s.wait(60)
  })
}

export const receiving: readonly Scenario[] = [
  scenario('one segment, and later another', {}, async (s) => {
    await s.server()
    for (let i = 0; i < 3; i++) {
      s.peer.write(s.now, 100)
      await s.wait(300)
    }
  }),
  scenario('a bulk that is read', {}, async (s) => {
    const fd = await s.server()
    s.peer.write(s.now, 20 * MSS)
    await s.wait(100)
    s.read(fd)
    await s.wait(100)
    s.peer.write(s.now, 20 * MSS)
    await s.wait(300)
  }),
  scenario('request and answer, three times', {}, async (s) => {
    const fd = await s.server()
    for (let i = 0; i < 3; i++) {
      s.peer.write(s.now, 100)
      await s.wait(40)
      s.read(fd)
      s.write(fd, 200)
      await s.wait(100)
    }
    s.peer.write(s.now, 100)
    await s.wait(300)
  }),
  scenario('TCP_QUICKACK off and on', {}, async (s) => {
    const fd = await s.server()
    s.set(fd, 'TCP_QUICKACK', 0)
    s.peer.write(s.now, 100)
    await s.wait(200)
    s.peer.write(s.now, 100)
    await s.wait(32)
    s.set(fd, 'TCP_QUICKACK', 1)
    await s.wait(200)
  }),
  segments('out of order, the hole is filled', [
    { seq: 101, length: 100 },
    { seq: 301, length: 100 },
    { seq: 201, length: 100 },
    { seq: 1, length: 100 },
  ]),
  segments('the same text again', [
    { seq: 1, length: 100 },
    { seq: 1, length: 100 },
    { seq: 51, length: 100 },
    { seq: 301, length: 100 },
    { seq: 301, length: 100 },
  ]),
  segments('five pieces out of order', [
    { seq: 101, length: 10 },
    { seq: 201, length: 10 },
    { seq: 301, length: 10 },
    { seq: 401, length: 10 },
    { seq: 501, length: 10 },
    { seq: 1, length: 600 },
  ]),
  scenario('a receiver that does not read', {}, async (s) => {
    s.focus = { push: false }
    const fd = await s.server((one) => s.set(one, 'SO_RCVBUF', 20_000))
    s.peer.write(s.now, 100_000)
    await s.until(() => s.trace.some((event) => event.kind === 'out' && event.text.includes('win 0')))
    await s.wait(200)
    s.beginAnew()
    s.peer.raw(s.now, { flags: '.', length: 1 })
    await s.wait(100)
    s.peer.change({ rtoMs: 10_000 })
    s.quiet('recv', fd, null, 1 << 20, 0x40)
    await s.wait(20)
  }),
  segments('text beyond the window', [{ seq: 3_000_000, length: 100 }]),
  segments('a reset that is exact', [{ flags: 'R', seq: 1, bare: true }]),
  segments('a reset in the window', [{ flags: 'R', seq: 50, bare: true }]),
  segments('a reset outside the window', [{ flags: 'R', seq: -50, bare: true }]),
  segments('a reset with text and ACK', [{ flags: 'R.', seq: 1, length: 10 }]),
  segments('two resets in the window at once', [
    { flags: 'R', seq: 50, bare: true },
    { flags: 'R', seq: 60, bare: true },
  ]),
  segments('a SYN in an open connection', [{ flags: 'S', seq: 1, bare: true }]),
  segments('a SYN,ACK in an open connection', [{ flags: 'S.', seq: 0, ack: 1 }]),
  segments('an ACK of what was never sent', [{ flags: '.', seq: 1, ack: 10_000 }]),
  segments('an ACK much older than the window', [{ flags: '.', seq: 1, ack: -2_000_000_000 }]),
  segments('a segment without ACK', [{ flags: 'P', seq: 1, length: 10 }]),
  segments('a segment with no flags at all', [{ flags: '', seq: 1, length: 10 }]),
  segments('FIN, URG and PSH', [{ flags: 'FUP.', seq: 1, length: 10, urgent: 5 }]),
  segments('an old timestamp', [
    { seq: 1, length: 10 },
    { seq: 11, length: 10, olderBy: 10_000 },
  ]),
  segments('a segment without the timestamp that was agreed on', [{ seq: 1, length: 10, bare: true }]),
  segments('an old duplicate below the window', [{ seq: -100, length: 50 }]),
  segments('a keep-alive probe of the peer', [
    { seq: 0, length: 0 },
    { seq: 0, length: 1 },
  ]),
  scenario('urgent text comes', {}, async (s) => {
    const fd = await s.server()
    s.peer.raw(s.now, { flags: 'U.', seq: 1, length: 10, urgent: 5 })
    await s.wait(60)
    s.poll(fd)
    s.read(fd)
    s.call('recv', fd, null, 10, MSG.OOB)
    s.read(fd)
    s.read(fd)
  }),
  scenario('reading with MSG_PEEK, and past the end', {}, async (s) => {
    const fd = await s.server()
    s.peer.write(s.now, 500)
    s.peer.shutdown(s.now)
    await s.wait(100)
    s.call('recv', fd, null, 100, MSG.PEEK)
    s.read(fd)
    s.read(fd)
    s.poll(fd)
  }),
]
