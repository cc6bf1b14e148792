// The Linux kernel behind the contract of src/packetdrill/target.ts: a namespace, a TUN device, the kernel's sockets.

import { afterEach, expect, test } from 'vitest'
import { KernelTarget } from '../../src/cli/kernel-target.ts'
import { HEADROOM, Packet } from '../../src/link/index.ts'
import type { Call, Outcome, Value } from '../../src/packetdrill/target.ts'
import { FLAG, SegmentPlan } from '../../src/tcp/header.ts'
import { ParsedPacket } from '../../src/trace/packet-line.ts'
import { buildSegment } from '../beside-linux/wire.ts'

const LOCAL = '192.168.0.1'
const REMOTE = '192.0.2.1'
const SOL_SOCKET = 1
const IPPROTO_TCP = 6
const O_NONBLOCK = 2048

let open: KernelTarget[] = []
afterEach(async () => {
  for (const target of open) await target.close()
  open = []
})

function target(): KernelTarget {
  const made = new KernelTarget({ family: 4, local: LOCAL, prefixLength: 16, remote: REMOTE, mtu: 1500 })
  open.push(made)
  return made
}

function call(side: KernelTarget, name: string, ...args: Value[]): Outcome {
  const { outcome } = side.start(name, args)
  expect(outcome, `${name} is over`).not.toBeNull()
  return outcome!
}

async function ended(side: KernelTarget, under: Call): Promise<Outcome> {
  while (under.outcome === null) await side.advance(side.now() + 1_000_000)
  return under.outcome
}

/** The next packet, parsed. */
async function next(side: KernelTarget, withinUs = 1_000_000) {
  const deadline = side.now() + withinUs
  for (;;) {
    const sent = side.take()
    if (sent !== null) {
      const packet = new Packet(new Uint8Array([...new Uint8Array(HEADROOM), ...sent.bytes]))
      packet.end = HEADROOM + sent.bytes.length
      const parsed = new ParsedPacket()
      expect(parsed.parse(packet)).toBe('ok')
      return { at: sent.at, ...parsed, segment: parsed.tcp }
    }
    expect(side.now(), 'a packet comes in time').toBeLessThan(deadline)
    await side.advance(deadline)
  }
}

function segment(flags: number, seq: number, ack: number, more: Partial<SegmentPlan> = {}): Uint8Array {
  const plan = Object.assign(
    new SegmentPlan(),
    { sourcePort: 40000, destinationPort: 8080, window: 65535, flags, seq, ack },
    more,
  )
  return buildSegment(REMOTE, LOCAL, plan, more.textLength ?? 0)
}

/** A connection that has been accepted: its descriptor, and the kernel's next sequence number. */
async function accepted(side: KernelTarget): Promise<{ fd: number; seq: number }> {
  const listener = call(side, 'socket', null, 1, IPPROTO_TCP).value
  call(side, 'setsockopt', listener, SOL_SOCKET, 2, [1], 4)
  expect(call(side, 'bind', listener, null, null).value).toBe(0)
  call(side, 'listen', listener, 1)
  const accepting = side.start('accept', [listener, null, null])
  expect(accepting.outcome).toBeNull()
  side.deliver(segment(FLAG.SYN, 1000, 0, { mss: 1460, sackPermitted: true }))
  const { segment: synAck } = await next(side)
  expect([synAck.flags, synAck.ack, synAck.mss]).toEqual([FLAG.SYN | FLAG.ACK, 1001, 1460])
  side.deliver(segment(FLAG.ACK, 1001, synAck.seq + 1))
  const outcome = await ended(side, accepting)
  expect(outcome.outputs[1]).toMatchObject({ sin_addr: REMOTE, sin_port: 40000 })
  return { fd: outcome.value, seq: synAck.seq + 1 }
}

test('a blocking accept and read end when the wire brings what they wait for', async () => {
  const side = target()
  const { fd } = await accepted(side)
  const reading = side.start('read', [fd, null, 100])
  expect(reading.outcome).toBeNull()
  await side.advance(side.now() + 30_000)
  expect(reading.outcome).toBeNull()
  const at = side.now()
  side.deliver(segment(FLAG.ACK | FLAG.PSH, 1001, 0, { textLength: 10, ack: (await info(side, fd)) as never }))
  expect((await ended(side, reading)).value).toBe(10)
  expect(reading.endedAt).toBeGreaterThanOrEqual(at)
  expect((await next(side)).segment.ack).toBe(1011)
})

/** The kernel's sequence number, from a segment that it has to answer. */
async function info(side: KernelTarget, fd: number): Promise<number> {
  expect(side.tcpInfo(fd)).toMatchObject({ tcpi_state: 1, tcpi_snd_mss: 1460, tcpi_snd_cwnd: 10, tcpi_ca_state: 0 })
  side.deliver(segment(FLAG.ACK, 900, 0))
  return (await next(side)).segment.seq
}

test('options come back in their own shapes', async () => {
  const side = target()
  const { fd } = await accepted(side)
  expect(call(side, 'getsockopt', fd, IPPROTO_TCP, 13, null, [16]).outputs[3]).toBe('cubic')
  expect(call(side, 'setsockopt', fd, IPPROTO_TCP, 13, 'reno', 4).value).toBe(0)
  expect(call(side, 'getsockopt', fd, IPPROTO_TCP, 13, null, [16]).outputs[3]).toBe('reno')
  expect(call(side, 'setsockopt', fd, SOL_SOCKET, 13, { onoff: 1, linger: 7 }, 8).value).toBe(0)
  expect(call(side, 'getsockopt', fd, SOL_SOCKET, 13, null, [8]).outputs[3]).toEqual({ l_onoff: 1, l_linger: 7 })
  call(side, 'setsockopt', fd, SOL_SOCKET, 13, { onoff: 0, linger: 0 }, 8)
  expect(call(side, 'getsockopt', fd, IPPROTO_TCP, 2, [0], [4]).outputs.slice(3)).toEqual([[1460], [4]])
  expect(call(side, 'getsockopt', fd, IPPROTO_TCP, 11, null, [256]).outputs[3]).toMatchObject({ tcpi_state: 1 })
  expect(call(side, 'setsockopt', 999, SOL_SOCKET, 2, [1], 4)).toMatchObject({ value: -1, errno: 'EBADF' })
  expect(call(side, 'fcntl', fd, 3, 0).value).toBe(2)
  call(side, 'fcntl', fd, 4, 2 | O_NONBLOCK)
  expect(call(side, 'read', fd, null, 10)).toMatchObject({ value: -1, errno: 'EAGAIN' })
})

test('poll, epoll_wait and recvmsg wait and fill in what they found', async () => {
  const side = target()
  const { fd, seq } = await accepted(side)
  const epoll = call(side, 'epoll_create', 1).value
  expect(call(side, 'epoll_ctl', epoll, 1, fd, { events: 1, fd }).value).toBe(0)
  expect(call(side, 'epoll_wait', epoll, [{ events: 1, fd }], 1, 0)).toMatchObject({ value: 0 })
  const waits = side.start('epoll_wait', [epoll, [{ events: 1, fd }], 1, -1])
  const polls = side.start('poll', [[{ fd, events: 1, revents: 1 }], 1, -1])
  expect([waits.outcome, polls.outcome]).toEqual([null, null])
  side.deliver(segment(FLAG.ACK, 1001, seq, { textLength: 1000 }))
  expect(await ended(side, waits)).toMatchObject({ value: 1, outputs: [epoll, [{ events: 1, fd }], 1, -1] })
  expect(await ended(side, polls)).toMatchObject({ value: 1, outputs: [[{ fd, events: 1, revents: 1 }], 1, -1] })
  expect(call(side, 'ioctl', fd, 0x541b, [0]).outputs[2]).toEqual([1000])
  expect(call(side, 'setsockopt', fd, IPPROTO_TCP, 36, [1], 4).value).toBe(0) // TCP_INQ
  const asked = { msg_name: null, 'msg_iov(1)': [[null, 300]], msg_flags: 0, msg_control: [] }
  const read = call(side, 'recvmsg', fd, asked, 0)
  expect(read).toMatchObject({
    value: 300,
    outputs: [fd, { msg_control: [{ cmsg_level: 6, cmsg_type: 36, cmsg_data: 700 }] }, 0],
  })
})

test('a poll that waits for ever, and a blocked accept, end with the target', async () => {
  const side = target()
  const { fd } = await accepted(side)
  const polls = side.start('poll', [[{ fd, events: 1, revents: 1 }], 1, -1])
  const reads = side.start('read', [fd, null, 10])
  await side.close()
  expect([polls.outcome, reads.outcome]).not.toContain(null)
})

test('a blocking connect reports a refusal, and what the namespace may set is set', async () => {
  const side = target()
  expect(side.setSysctl('net.ipv4.tcp_timestamps', '0')).toBeNull()
  expect(side.sysctl('net.ipv4.tcp_timestamps')).toBe('0')
  expect(side.setSysctl('kernel.hostname', 'x')).toMatch(/no sysctl of a network namespace/)
  expect(side.setSysctl('net.ipv4.tcp_no_such', '1')).toMatch(/this kernel has no sysctl/)
  expect(side.setSysctl('net.ipv4.tcp_sack', 'x')).toMatch(/EINVAL/)
  const fd = call(side, 'socket', 2, 1, 6).value
  const connecting = side.start('connect', [fd, { sa_family: 2, sin_port: 80, sin_addr: REMOTE }, 16])
  const { segment: syn } = await next(side)
  expect([syn.flags, syn.destinationPort, syn.hasTimestamps]).toEqual([FLAG.SYN, 80, false])
  side.deliver(segment(FLAG.RST | FLAG.ACK, 0, syn.seq + 1, { sourcePort: 80, destinationPort: syn.sourcePort }))
  expect(await ended(side, connecting)).toMatchObject({ value: -1, errno: 'ECONNREFUSED' })
})

test('a deadline is met to less than a millisecond', async () => {
  const side = target()
  const until = side.now() + 25_000
  await side.advance(until)
  expect(side.now()).toBeGreaterThanOrEqual(until)
})
