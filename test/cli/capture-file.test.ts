import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CaptureFile } from '../../src/cli/capture-file.ts'
import { CliError } from '../../src/cli/errors.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tunstack-pcap-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const packet = { bytes: new Uint8Array(100), start: 10, end: 50 }

test('a capture file is whole blocks after each flush, and closing twice is harmless', () => {
  const path = join(folder, 'a.pcapng')
  const file = new CaptureFile(path, 'tun0', 0, () => undefined)
  file.flush()
  const header = readFileSync(path).length
  expect(header).toBeGreaterThan(0)
  file.writer.packet(packet, 'in', 1)
  expect(readFileSync(path).length).toBe(header)
  file.close()
  const one = readFileSync(path).length
  expect(one).toBeGreaterThan(header + 40)
  file.close()
  file.writer.packet(packet, 'out', 2)
  file.flush()
  expect(readFileSync(path).length).toBe(one)
})

test('large captures are written as they grow', () => {
  const path = join(folder, 'b.pcapng')
  const file = new CaptureFile(path, 'tun0', 0, () => undefined)
  const large = { bytes: new Uint8Array(60_000), start: 0, end: 60_000 }
  for (let i = 0; i < 20; i++) file.writer.packet(large, 'in', i)
  expect(readFileSync(path).length).toBeGreaterThan(1_000_000)
  file.close()
})

test('a file that cannot be written is an error that names the option', () => {
  expect(() => new CaptureFile('/nonexistent/x', 'tun0', 0, () => undefined)).toThrow('--pcap /nonexistent/x')
})

test('a disk that takes no more ends the capture once, with an error', () => {
  const errors: CliError[] = []
  const file = new CaptureFile('/dev/full', 'tun0', 0, (error) => errors.push(error))
  file.writer.packet(packet, 'in', 1)
  file.flush()
  file.writer.packet(packet, 'in', 2)
  file.close()
  expect(errors).toHaveLength(1)
  expect(errors[0]).toBeInstanceOf(CliError)
  expect(errors[0].message).toContain('has ended')
})
