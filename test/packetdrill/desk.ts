// A desk to try a StackTarget at by hand: calls by name, the peer's segments and ours in tcpdump's notation (test/tcp/notation.ts), virtual
// time in milliseconds. Owns: that. Does not own: the notation, the packets' bytes (test/tcp/wire.ts).

import { expect } from 'vitest'
import { IpAddress } from '../../src/ip/address.ts'
import { IpHeader, PROTOCOL } from '../../src/ip/header.ts'
import { parseIp } from '../../src/ip/parse.ts'
import { StackTarget } from '../../src/packetdrill/stack-target.ts'
import type { Call, Value } from '../../src/packetdrill/target.ts'
import { FLAG, parseTcp, SegmentHeader, SegmentPlan } from '../../src/tcp/header.ts'
import { seq } from '../../src/tcp/seq.ts'
import { formatLine, type Line, matches, parseLine } from '../tcp/notation.ts'
import { fillOptions, segmentBytes, wrapIp } from '../tcp/wire.ts'

/** Linux's numbers that the tests need. */
export const AF_INET = 2
export const STREAM = 1
export const SOL_SOCKET = 1
export const SOL_TCP = 6
export const O_NONBLOCK = 2048

const IRS = 1000

/** A target with one connection's numbers. */
export class Desk {
  readonly target: StackTarget
  readonly local: IpAddress
  readonly remote: IpAddress
  /** Ports, ours and the peer's. */
  ours = 8080
  theirs = 5000
  #iss = 0

  constructor({ family = 4 as 4 | 6, sysctl = {} as Record<string, string | number>, mtu = 1500 } = {}) {
    const [local, remote, prefixLength] =
      family === 4 ? ['192.0.2.1', '192.0.2.2', 24] : ['2001:db8::1', '2001:db8::2', 64]
    this.local = IpAddress.parse(local)
    this.remote = IpAddress.parse(remote)
    this.target = new StackTarget({ family, local, remote, prefixLength: prefixLength as number, mtu })
    for (const [name, value] of Object.entries(sysctl)) expect(this.target.setSysctl(name, String(value))).toBeNull()
  }

  get nowMs(): number {
    return this.target.now() / 1000
  }

  start(name: string, ...args: Value[]): Call {
    return this.target.start(name, args)
  }

  /** A call that must be over at once: its value, or the name of its error. */
  call(name: string, ...args: Value[]): number | string {
    const { outcome } = this.start(name, ...args)
    expect(outcome, `${name} is over at once`).not.toBeNull()
    return outcome!.errno || outcome!.value
  }

  /** What a call has filled in for one argument. */
  output(index: number, name: string, ...args: Value[]): Value {
    const { outcome } = this.start(name, ...args)
    expect(outcome?.errno).toBe('')
    return outcome!.outputs[index]
  }

  /** A segment of the peer's. */
  in(text: string): void {
    const line = parseLine(text)
    const plan = new SegmentPlan()
    plan.sourcePort = this.theirs
    plan.destinationPort = this.ours
    plan.flags = line.flags
    plan.seq = seq(IRS + (line.seq ?? 0))
    plan.ack = seq(line.ack === null ? 0 : this.#iss + line.ack)
    plan.window = line.win ?? 65535
    plan.urgent = line.urg ?? 0
    fillOptions(plan, line.options ?? [], { iss: this.#iss, irs: IRS, tsOffset: 0, tsVal: 0, tsEcr: 0 })
    const content = new Uint8Array((line.end ?? 0) - (line.seq ?? 0)).fill(7)
    const packet = wrapIp(this.remote, this.local, PROTOCOL.TCP, segmentBytes(plan, content))
    this.target.deliver(packet.bytes.subarray(packet.start, packet.end))
  }

  /** Our next segments are these, and were sent now. */
  out(...lines: string[]): void {
    for (const text of lines) {
      const sent = this.target.take()
      expect(sent, `nothing was sent, but expected: ${text}`).not.toBeNull()
      const expected = parseLine(text)
      const actual = this.#read(sent!.bytes)
      if (!matches(expected, actual)) expect(formatLine(actual)).toBe(text)
    }
  }

  /** Nothing waits to be taken. */
  quiet(): void {
    const sent = this.target.take()
    expect(sent === null ? 'nothing' : formatLine(this.#read(sent.bytes))).toBe('nothing')
  }

  /** Our next segment, whatever it is. */
  next(): string {
    const sent = this.target.take()
    return sent === null ? 'nothing' : formatLine(this.#read(sent.bytes))
  }

  /** Time passes, with nothing sent and no call ended. */
  async wait(ms: number): Promise<void> {
    const until = this.target.now() + ms * 1000
    for (let stops = 0; this.target.now() < until && stops < 2; ) {
      const before = this.target.now()
      await this.target.advance(until)
      stops = this.target.now() === before ? stops + 1 : 0 // the first tells of a call that has ended
    }
  }

  /** Time passes until something is sent or a call ends; returns how many milliseconds that took. */
  async pass(ms = 1e6): Promise<number> {
    const from = this.target.now()
    await this.target.advance(from + ms * 1000)
    return (this.target.now() - from) / 1000
  }

  #read(bytes: Uint8Array): Line {
    const ip = new IpHeader()
    const tcp = new SegmentHeader()
    expect(parseIp(bytes, 0, bytes.length, ip)).toBe('ok')
    expect(parseTcp(bytes, ip.headerBytes, bytes.length, tcp)).toBe('ok')
    if ((tcp.flags & FLAG.SYN) !== 0) {
      this.#iss = tcp.seq
      this.ours = tcp.sourcePort
      this.theirs = tcp.destinationPort
    }
    const isBare = (tcp.flags & FLAG.RST) !== 0 && tcp.seq === 0
    const start = isBare ? 0 : (tcp.seq - this.#iss) | 0
    const options: string[] = []
    if (tcp.mss >= 0) options.push(`mss ${tcp.mss}`)
    if (tcp.sackPermitted) options.push('sackOK')
    if (tcp.hasTimestamps) options.push(`TS val ${tcp.tsVal} ecr ${tcp.tsEcr}`)
    if (tcp.windowScale >= 0) options.push(`wscale ${tcp.windowScale}`)
    if (tcp.cookieLength === 0) options.push('FO')
    if (tcp.cookieLength > 0) {
      options.push(
        `FO ${Buffer.from(tcp.bytes.subarray(tcp.cookieStart, tcp.cookieStart + tcp.cookieLength)).toString('hex')}`,
      )
    }
    return {
      ecn: ip.trafficClass & 3,
      flags: tcp.flags,
      seq: start,
      end: start + tcp.textLength,
      ack: tcp.flags & FLAG.ACK ? (tcp.ack - IRS) | 0 : null,
      win: tcp.window,
      urg: tcp.flags & FLAG.URG ? tcp.urgent : null,
      options,
    }
  }

  /** A listening socket. */
  listening(backlog = 1, ...setup: ((fd: number) => void)[]): number {
    const fd = this.call('socket', AF_INET, STREAM, 6) as number
    expect(this.call('setsockopt', fd, SOL_SOCKET, 2, [1], 4)).toBe(0)
    for (const one of setup) one(fd)
    expect(this.call('bind', fd, null, null)).toBe(0)
    expect(this.call('listen', fd, backlog)).toBe(0)
    return fd
  }

  /** An accepted connection: handshake without timestamps, the peer's MSS 1000. Returns its descriptor. */
  accepted(options = 'mss 1000,sackOK,wscale 7', ...setup: ((fd: number) => void)[]): number {
    const listener = this.listening(1, ...setup)
    this.in(`S 0 win 32792 <${options}>`)
    this.next()
    this.in('. 1 ack 1 win 257')
    return this.call('accept', listener, null, null) as number
  }

  /** A descriptor that a non-blocking connect has opened. */
  connected(): number {
    const fd = this.call('socket', AF_INET, STREAM, 6) as number
    expect(this.call('fcntl', fd, 4, O_NONBLOCK)).toBe(0)
    expect(this.call('connect', fd, null, null)).toBe('EINPROGRESS')
    this.next()
    this.in('S. 0 ack 1 win 5792 <mss 1460,sackOK,wscale 7>')
    this.out('. 1 ack 1')
    expect(this.call('connect', fd, null, null)).toBe(0)
    return fd
  }
}
