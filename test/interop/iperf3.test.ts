// `tunstack iperf3` beside the real iperf3, both roles, both directions.

import { spawn } from 'node:child_process'
import { afterEach, describe, expect, test } from 'vitest'
import { BIN, Running, run, start, tunstack } from './cli-helpers.ts'

interface Document {
  readonly start: { readonly test_start: Record<string, number> }
  readonly end: Readonly<Record<'sum_sent' | 'sum_received', { readonly bytes: number }>>
  readonly error?: string
}

let running: Running | null = null
afterEach(async () => {
  await running?.end('SIGINT')
  running = null
})

/** iperf3's figures agree when what arrived is what was sent, but for what was still under way. */
function expectAgreement({ end, error }: Document, least: number): void {
  expect(error).toBeUndefined()
  const { sum_sent: sent, sum_received: received } = end
  expect(received.bytes).toBeGreaterThan(least)
  expect(received.bytes).toBeLessThanOrEqual(sent.bytes)
  expect(received.bytes).toBeGreaterThan(0.5 * sent.bytes)
}

describe('our server', () => {
  test.each([
    ['it receives', []],
    ['it sends', ['-R']],
    ['three connections', ['-P', '3']],
    ['three connections, it sends', ['-P', '3', '-R']],
    ['so many bytes', ['-n', '20M']],
    ['IPv6', ['-6']],
  ])('%s', async (_name, args) => {
    running = start('iperf3', '-s', '-1')
    await running.until(/listening on 5201/)
    const host = args[0] === '-6' ? 'fd77::2' : '10.77.0.2'
    const rest = args.filter((arg) => arg !== '-6')
    const length = args.includes('-n') ? [] : ['-t', '1']
    const { code, stdout } = await run('iperf3', ['-c', host, ...length, '-J', ...rest])
    expect([code, stdout.includes('"error"')]).toEqual([0, false])
    expectAgreement(JSON.parse(stdout) as Document, 10 << 20)
    const { code: ended, stdout: told, stderr } = await running.finished
    running = null
    expect([ended, stderr]).toEqual([0, ''])
    expect(told).toMatch(/ sender\n.* receiver\n/)
  })

  test('one test at a time: a second client is told that it is busy; UDP is refused', async () => {
    running = start('iperf3', '-s')
    await running.until(/listening/)
    const first = new Running(spawn('iperf3', ['-c', '10.77.0.2', '-t', '2', '-b', '10M'], { stdio: 'pipe' }))
    await running.until(/Accepted/)
    const second = await run('iperf3', ['-c', '10.77.0.2', '-t', '1'])
    expect(second.stdout + second.stderr).toContain('busy')
    expect((await first.finished).code).toBe(0)
    const udp = await run('iperf3', ['-c', '10.77.0.2', '-u', '-t', '1'])
    expect(udp.code).not.toBe(0)
    const again = await run('iperf3', ['-c', '10.77.0.2', '-n', '1M', '-J'])
    expect(again.code).toBe(0)
  })
})

describe('our client', () => {
  async function serveOnce(): Promise<void> {
    running = new Running(spawn('iperf3', ['-s', '-1', '--forceflush'], { stdio: 'pipe' }))
    await running.until(/listening/)
  }

  test.each([
    ['it sends', []],
    ['it receives', ['-R']],
    ['two connections', ['-P', '2']],
    ['so many bytes', ['-n', '20M']],
  ])('%s', async (_name, args) => {
    await serveOnce()
    const { code, stdout, stderr } = await tunstack('iperf3', '-c', '10.77.0.1', '-t', '1', '-J', ...args)
    expect([code, stderr]).toEqual([0, ''])
    expectAgreement(JSON.parse(stdout) as Document, 10 << 20)
    const server = await running?.finished
    running = null
    expect(server?.stdout).toMatch(/receiver|sender/)
  })

  test('its lines are those of iperf3, a rate is kept over a bad link', async () => {
    await serveOnce()
    const link = ['--delay', '5ms', '--loss', '1%', '--seed', '1']
    const { code, stdout } = await tunstack('iperf3', '-c', '10.77.0.1', '-t', '2', '-b', '8M', ...link)
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /^Connecting to host 10\.77\.0\.1, port 5201\n\[ {2}1\] local 10\.77\.0\.2 port \d+ connected to /,
    )
    expect(stdout).toMatch(/\[ {2}1\] {3}0\.00-1\.00 {3}sec .* KBytes|MBytes/)
    expect(stdout).toMatch(/\niperf Done\.\n$/)
    const [, rate] = /([0-9.]+) Mbits\/sec +\d+ +sender/.exec(stdout) ?? []
    expect(Number(rate)).toBeGreaterThan(6)
    expect(Number(rate)).toBeLessThan(9)
  })

  test('nobody there: an error that names the mend; Ctrl-C ends a test with its figures', async () => {
    const none = await tunstack('iperf3', '-c', '10.77.0.1')
    expect([none.code, none.stderr]).toEqual([1, expect.stringContaining('iperf3 -s')])
    await serveOnce()
    const client = new Running(
      spawn(process.execPath, [BIN, 'iperf3', '-c', '10.77.0.1', '-t', '30'], { stdio: 'pipe' }),
    )
    await client.until(/0\.00-1\.00/)
    const { code, stdout } = await client.end('SIGINT')
    expect([code, stdout]).toEqual([0, expect.stringMatching(/ receiver\n/)])
  })

  test('a command line that cannot be meant is refused', async () => {
    for (const args of [[], ['-s', '-c', '10.77.0.1'], ['-c', 'localhost'], ['-c', '10.77.0.1', '-P', '0']]) {
      expect((await tunstack('iperf3', ...args)).code).toBe(2)
    }
  })
})
