import { describe, expect, test } from 'vitest'
import type { Scheduler } from '../../src/base/time.ts'
import { AccessLog, accessJson, accessLine, commonLogTime } from '../../src/cli/access-log.ts'
import { lossWarning } from '../../src/cli/demo-tun.ts'
import { connectFailure, transferFailure } from '../../src/cli/fetch-errors.ts'
import { formatSize, progressText } from '../../src/cli/fetch-output.ts'
import { deviceError } from '../../src/cli/open-host.ts'
import { PingStats, pingTitle, replyLine, summaryLines } from '../../src/cli/ping-stats.ts'
import { impairmentText, urlOf } from '../../src/cli/serve.ts'
import { countersText, nonZero } from '../../src/cli/tcp-counters.ts'
import { TracePrinter, timeOfDay } from '../../src/cli/trace-printer.ts'
import { type ExchangeRecord, HttpError, ProtocolError } from '../../src/http/index.ts'
import { Packet } from '../../src/link/device.ts'
import type { TunSocket } from '../../src/net/index.ts'
import { createCounters, type TcpCounters } from '../../src/tcp/counters.ts'

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined
  const promise = new Promise<T>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

const EPOCH_US = Date.UTC(2026, 10, 21, 12, 0, 0) * 1000

describe('the access log', () => {
  const record: ExchangeRecord = {
    method: 'GET',
    target: '/a"b\\c\u001b[31m',
    httpVersion: '1.1',
    status: 200,
    requestBodyBytes: 0,
    responseBytes: 512,
    responseBodyBytes: 312,
    startUs: 1_500_000,
    endUs: 1_500_840,
    aborted: false,
    sequence: 1,
    connection: { remoteAddress: '10.77.0.1', remotePort: 4000 },
  }

  test('is the Common Log Format with the duration, and nothing in it speaks to a terminal', () => {
    expect(accessLine(record, EPOCH_US)).toBe(
      '10.77.0.1 - - [21/Nov/2026:12:00:01 +0000] "GET /a\\x22b\\x5cc\\x1b[31m HTTP/1.1" 200 312 0.84ms',
    )
    expect(accessLine({ ...record, target: '/', status: 0, aborted: true }, EPOCH_US)).toMatch(
      /" - 312 0\.84ms aborted$/,
    )
    expect(commonLogTime(Date.UTC(2026, 0, 2))).toBe('02/Jan/2026:00:00:00 +0000')
  })

  test('as JSON it is one line', () => {
    const line = accessJson(record, EPOCH_US)
    expect(line).not.toContain('\n')
    expect(JSON.parse(line)).toMatchObject({ type: 'request', time: '2026-11-21T12:00:01.500Z', durationUs: 840 })
  })
})

describe("TCP's counters at the end", () => {
  test("are those that are not 0, by nstat's names and in the kernel's order", () => {
    const counters: TcpCounters = { ...createCounters(), TcpExtTCPTimeouts: 2, TcpInSegs: 1234 }
    expect(Object.entries(nonZero(counters))).toEqual([
      ['TcpInSegs', 1234],
      ['TcpExtTCPTimeouts', 2],
    ])
    expect(countersText(nonZero(counters))).toEqual(['TCP: TcpInSegs 1234, TcpExtTCPTimeouts 2'])
    expect(countersText({})).toEqual([])
  })

  test('come in lines that fit', () => {
    const lines = countersText(createCounters())
    expect(lines.length).toBeGreaterThan(10)
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(100)
    expect(lines.join(' ').match(/\w+ 0/g)).toHaveLength(Object.keys(createCounters()).length)
  })
})

describe('a record of the access log', () => {
  const connection = { remoteAddress: '10.77.0.1' }
  const record = { connection, startUs: 1_000_000, endUs: 1_000_100, aborted: false } as ExchangeRecord
  const log = (
    acknowledged: Promise<boolean>,
  ): { records: ExchangeRecord[]; log: AccessLog; clock: { us: number } } => {
    const records: ExchangeRecord[] = []
    const clock = { us: 1_000_100 }
    const scheduler = { now: () => clock.us } as Scheduler
    const made = new AccessLog(scheduler, (one) => records.push(one))
    made.connected(connection, { whenAcknowledged: () => acknowledged } as TunSocket)
    made.add(record)
    return { records, log: made, clock }
  }

  test.each([true, false])('waits for the last acknowledgement, which came: %o', async (came) => {
    const { promise, resolve } = deferred<boolean>()
    const { records, clock } = log(promise)
    await Promise.resolve()
    expect(records).toEqual([])
    clock.us = 3_000_000
    resolve(came)
    await promise
    await Promise.resolve()
    expect(records).toEqual([{ ...record, endUs: 3_000_000, aborted: !came }])
  })

  test('waits no longer than the command lasts, and is told once', async () => {
    const { promise, resolve } = deferred<boolean>()
    const { records, log: made } = log(promise)
    made.flush()
    resolve(true)
    await promise
    made.flush()
    expect(records).toMatchObject([{ aborted: true }])
  })
})

describe('the lines of ping', () => {
  test('are those of iputils', () => {
    const stats = new PingStats()
    stats.transmitted = 3
    stats.add(1000)
    stats.add(3000)
    expect(pingTitle('10.77.0.1', 56)).toBe('PING 10.77.0.1 (10.77.0.1) 56(84) bytes of data.')
    expect(pingTitle('fd77::1', 56)).toBe('PING fd77::1(fd77::1) 56 data bytes')
    expect(replyLine('10.77.0.1', { sequence: 1, bytes: 64, ttl: 64, rttUs: 123 })).toBe(
      '64 bytes from 10.77.0.1: icmp_seq=1 ttl=64 time=0.123 ms',
    )
    expect(summaryLines('10.77.0.1', stats, 2_004_000)).toEqual([
      '',
      '--- 10.77.0.1 ping statistics ---',
      '3 packets transmitted, 2 received, 33.3333% packet loss, time 2004ms',
      'rtt min/avg/max/mdev = 1.000/2.000/3.000/1.000 ms',
    ])
  })

  test('without an answer there are no times', () => {
    const stats = new PingStats()
    stats.transmitted = stats.errors = 1
    expect(summaryLines('x', stats, 0).at(-1)).toBe(
      '1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms',
    )
    expect(new PingStats().lossPercent).toBe(0)
  })
})

describe('what failures are called (curl(1), EXIT CODES)', () => {
  const coded = (code: string): Error => Object.assign(new Error(code), { code })

  test.each([
    [new HttpError('ECONNRESET', 'x'), 52],
    [new HttpError('ECONNRESET', 'x', { cause: coded('ECONNRESET') }), 56],
    [new HttpError('ECONNRESET', 'x', { answered: true }), 56],
    [new HttpError('ETIMEDOUT', 'x'), 28],
    [new HttpError('ECONNRESET', 'x', { cause: coded('ETIMEDOUT') }), 28],
    [new HttpError('ECONNRESET', 'x', { cause: coded('EPIPE') }), 55],
    [new ProtocolError('remote', 400, 'truncated', 'x'), 18],
    [new ProtocolError('remote', 400, 'bad-chunk', 'x'), 56],
    [new ProtocolError('remote', 400, 'bad-status-line', 'x'), 1],
    [new ProtocolError('remote', 400, 'bad-header', 'x'), 8],
    [new TypeError('header name'), 2],
  ])('%o has the exit code %i', (error, code) => {
    expect(transferFailure(error).exitCode).toBe(code)
  })

  test('connecting fails with 7, or 28 when nobody answers', () => {
    expect(connectFailure(coded('ECONNREFUSED'), 'h', 80, 1500)).toMatchObject({
      exitCode: 7,
      message: '(7) Failed to connect to h port 80 after 2 ms: Connection refused',
    })
    expect(connectFailure(coded('ETIMEDOUT'), 'h', 80, 0).exitCode).toBe(28)
    expect(connectFailure(coded('EHOSTUNREACH'), 'h', 80, 0).exitCode).toBe(7)
  })

  test('a TUN device that cannot be had is 77; a name that is taken is not', () => {
    expect(deviceError(coded('EPERM'), 'tunstack0')).toMatchObject({ exitCode: 77 })
    expect(deviceError(coded('ENOENT'), 'tunstack0').exitCode).toBe(77)
    expect(deviceError(coded('EBUSY'), 'tunstack0')).toMatchObject({ exitCode: 1 })
    expect(deviceError(coded('EBUSY'), 'tunstack0').mend).toContain('--tun tunstack1')
    expect(deviceError(coded('EBUSY'), 'abcdefghijklmn9').mend).toContain('--tun abcdefghijklm10')
  })

  test('a refused device is mended by options that there are', () => {
    const refusal = (code: string, freeNetwork: string | null = null): unknown =>
      Object.assign(coded(code), {
        what: 'what is wrong',
        freeNetwork,
        message: 'what is wrong: pass persistent: true',
      })
    expect(deviceError(refusal('EADDRINUSE', '10.79.0.0/24'), 'tunstack0')).toMatchObject({
      message: 'no TUN device: what is wrong',
      mend: 'choose another network, --address 10.79.0.2/24',
    })
    expect(deviceError(refusal('EADDRINUSE', 'fd78::/64'), 'tunstack0').mend).toContain('--address fd78::2/64')
    expect(deviceError(refusal('EBUSY', '10.80.0.0/24'), 'tunstack0').mend).toBe(
      'another tunstack may be running; try --tun tunstack1 --address 10.80.0.2/24',
    )
    expect(deviceError(refusal('EEXIST'), 'lo')).toMatchObject({
      message: 'no TUN device: what is wrong',
      mend: 'choose another name, --tun tunstack0',
    })
    expect(deviceError(refusal('EINVAL'), 'tunstack0').mend).toBe('choose another name, --tun tunstack1')
  })
})

describe('small texts', () => {
  test('the end of a bad link tells what it did', () => {
    const none = { duplicated: 0, corrupted: 0, overflowed: 0, marked: 0, unmarkable: 0 }
    const link = { ...none, offered: 812, delivered: 800, lost: 3, reordered: 5 }
    expect(impairmentText(link)).toBe('the link lost 3 of 812 packets, reordered 5, duplicated 0')
    expect(impairmentText({ ...link, corrupted: 1, overflowed: 9 })).toMatch(/, damaged 1, had no room for 9$/)
    expect(impairmentText({ ...link, marked: 7, unmarkable: 2 })).toMatch(/^the link lost 5 of .*, marked 7$/)
  })

  test('the demonstration warns of a line that loses a lot, and only then', () => {
    expect(lossWarning(0.1)).toBeNull()
    expect(lossWarning(0.5)).toMatch(/^tunstack: 50% of the packets .*twice as long/)
    expect(lossWarning(1)).toMatch(/100%.*nothing can arrive.*20 s/)
  })

  test('URLs leave out port 80 and put brackets around IPv6', () => {
    expect(urlOf('10.77.0.2', 80)).toBe('http://10.77.0.2/')
    expect(urlOf('fd77::2', 8080)).toBe('http://[fd77::2]:8080/')
  })

  test('sizes and progress', () => {
    expect([0, 999, 1000, 999_949, 999_950, 12_345_678].map(formatSize)).toEqual([
      '0 B',
      '999 B',
      '1.0 kB',
      '999.9 kB',
      '1.0 MB',
      '12.3 MB',
    ])
    expect(progressText(10_500_000, 25_000_000, 2_000_000)).toBe('42% 10.5 MB of 25.0 MB, 5.3 MB/s, 3 s left')
    expect(progressText(500, -1, 0)).toBe('500 B, 0 B/s')
  })

  test('the time of day has six decimals', () => {
    expect(timeOfDay(EPOCH_US + 1_000_007)).toMatch(/^\d\d:\d\d:01\.000007$/)
  })
})

describe('the trace', () => {
  // IPv4 and TCP headers without options; checksums are not judged.
  function segment(from: number, to: number, seq: number, ack: number, flags: number, text: number): Packet {
    const bytes = new Uint8Array(40 + text)
    const view = new DataView(bytes.buffer)
    bytes[0] = 0x45
    view.setUint16(2, bytes.length)
    bytes[8] = 64
    bytes[9] = 6
    bytes.set([10, 0, 0, from], 12)
    bytes.set([10, 0, 0, to], 16)
    let sum = 0
    for (let i = 0; i < 20; i += 2) sum += view.getUint16(i)
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
    view.setUint16(10, ~sum & 0xffff)
    view.setUint16(20, 1000 + from)
    view.setUint16(22, 1000 + to)
    view.setUint32(24, seq)
    view.setUint32(28, ack)
    bytes[32] = 0x50
    bytes[33] = flags
    const packet = new Packet(bytes)
    packet.start = 0
    packet.end = bytes.length
    return packet
  }

  test('prints absolute numbers in SYNs and relative ones behind them, as tcpdump does', () => {
    const lines: string[] = []
    const { print } = new TracePrinter((line) => lines.push(line.slice(16)), EPOCH_US)
    print(segment(1, 2, 4294967295, 0, 0x02, 0), 'in', 0)
    print(segment(2, 1, 500, 0, 0x12, 0), 'out', 0)
    print(segment(1, 2, 0, 501, 0x18, 9), 'in', 0)
    print(segment(2, 1, 501, 9, 0x10, 0), 'out', 0)
    expect(lines).toEqual([
      'IP 10.0.0.1.1001 > 10.0.0.2.1002: Flags [S], seq 4294967295, win 0, length 0',
      'IP 10.0.0.2.1002 > 10.0.0.1.1001: Flags [S.], seq 500, ack 0, win 0, length 0',
      'IP 10.0.0.1.1001 > 10.0.0.2.1002: Flags [P.], seq 1:10, ack 1, win 0, length 9',
      'IP 10.0.0.2.1002 > 10.0.0.1.1001: Flags [.], ack 10, win 0, length 0',
    ])
  })
})
