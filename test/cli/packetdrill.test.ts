// `tunstack packetdrill`: which scripts it runs, what it prints, how it ends. In this process, with its standard output taken down.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type Flags, packetdrill, packetdrillCommand } from '../../src/cli/packetdrill.ts'

const GOOD = `0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 1000 <mss 1000>
+0 > S. 0:0(0) ack 1 <mss 1460>
`
const BAD = GOOD.replace('mss 1460', 'mss 1459')

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'packetdrill-test-'))
  mkdirSync(join(folder, 'below'))
  writeFileSync(join(folder, 'good.pkt'), GOOD)
  writeFileSync(join(folder, 'below/also-good.pkt'), GOOD)
  writeFileSync(join(folder, 'notes.txt'), 'no script')
  mkdirSync(join(folder, 'bad'))
  writeFileSync(join(folder, 'bad/a.pkt'), BAD)
  writeFileSync(join(folder, 'bad/b.pkt'), GOOD)
  writeFileSync(join(folder, 'unreadable.text'), '0 > nonsense\n+0 frobnicate(3\n')
})
afterAll(() => rmSync(folder, { recursive: true }))

/** What it returns and prints. */
async function run(names: readonly string[], flags: Flags = {}): Promise<{ status: number; lines: string[] }> {
  const lines: string[] = []
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => lines.push(String(text)) > 0)
  try {
    const paths = names.map((name) => join(folder, name))
    const status = await packetdrill(paths, flags, { stop: new AbortController().signal })
    return { status, lines: lines.join('').trimEnd().split('\n') }
  } finally {
    spy.mockRestore()
  }
}

describe('scripts', () => {
  test('a folder stands for the scripts below it; all passed is 0', async () => {
    const { status, lines } = await run(['good.pkt', 'below'])
    expect(status).toBe(0)
    expect(lines.at(-1)).toMatch(/^2 scripts: 2 passed, 0 failed, in /)
  })

  test('one that fails says where, and what was expected: exit status 1', async () => {
    const { status, lines } = await run(['bad'])
    expect(status).toBe(1)
    expect(lines[0]).toMatch(/a\.pkt:5: error in a packet: options <mss 1460>, expected <mss 1459>$/)
    expect(lines[1]).toBe('  expected  > S. 0:0(0) ack 1 <mss 1459>')
    expect(lines.at(-1)).toMatch(/1 passed, 1 failed/)
  })

  test('--stop-on-failure ends there', async () => {
    expect((await run(['bad'], { stopOnFailure: true })).lines.at(-1)).toMatch(/^1 script: 0 passed, 1 failed/)
  })

  test('one that cannot be read is 2, with all of its mistakes', async () => {
    const { status, lines } = await run(['unreadable.text'])
    expect(status).toBe(2)
    expect(lines.filter((line) => /unreadable\.text:[1-3]:\d+: error /.test(line))).toHaveLength(2)
  })

  test.each([['nothing.pkt'], ['notes']])('%s is not there', async (name) => {
    await expect(run([name])).rejects.toThrow(name)
  })
})

describe('options', () => {
  test('--json prints an object a script', async () => {
    const { lines } = await run(['bad/a.pkt'], { json: true })
    expect(JSON.parse(lines[0])).toMatchObject({ ok: false, line: 5, expected: '> S. 0:0(0) ack 1 <mss 1459>' })
  })

  test('--dry_run reads and runs nothing', async () => {
    expect(await run(['bad'], { dry_run: true })).toEqual({ status: 0, lines: [''] })
    expect((await run(['unreadable.text'], { dry_run: true })).status).toBe(2)
  })

  test("--mtu and the original's other options stand above the script's own", async () => {
    expect((await run(['good.pkt'], { mtu: '1499' })).lines[0]).toContain('options <mss 1459>')
    expect((await run(['bad/a.pkt'], { mtu: '1499' })).status).toBe(0)
  })

  test('--record prints the script with what has happened in the place of what was to happen', async () => {
    const { status, lines } = await run(['bad/a.pkt'], { record: true })
    expect(status).toBe(0)
    expect(lines.at(-1)).toBe('+0     > S. 0:0(0) ack 1 <mss 1460>')
    writeFileSync(join(folder, 'recorded.text'), lines.join('\n'))
    expect((await run(['recorded.text'])).status).toBe(0)
  })

  test('--record-windows writes the windows too', async () => {
    expect((await run(['good.pkt'], { recordWindows: true })).lines.at(-1)).toContain('ack 1 win 64240 <mss 1460>')
  })

  test('--mutate tells how many mistakes are noticed', async () => {
    const { lines } = await run(['good.pkt'], { mutate: true })
    expect(lines.at(-1)).toMatch(/^\d+ mutants of 1 scripts: \d+ noticed/)
  })

  test('--mutate is not for the kernel', async () => {
    await expect(run(['good.pkt'], { mutate: true, kernel: true })).rejects.toThrow('do not go together')
  })

  test('a file of commands beside the script is read for its settings', async () => {
    writeFileSync(
      join(folder, 'defaults.sh'),
      '#!/bin/sh\nset -e\nsysctl -q net.ipv4.tcp_ecn=1 \\\n  net.ipv4.tcp_sack=0\n',
    )
    const text = `\`./defaults.sh\`\n${GOOD.replace('<mss 1000>', '<mss 1000,sackOK>')}`
    writeFileSync(join(folder, 'with-defaults.text'), text)
    expect((await run(['with-defaults.text'])).status).toBe(0)
  })

  test('the command takes all options of the original', () => {
    const command = packetdrillCommand()
    const known = command.options.map(({ long }) => long)
    for (const name of ['ip_version', 'gateway_ip', 'netmask_ip', 'tolerance_usecs', 'non_fatal', 'wire_client_dev']) {
      expect(known).toContain(`--${name}`)
    }
  })
})
