import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  addFetchOptions,
  type Collected,
  type FetchSettings,
  fetchSettings,
  requestHeaders,
} from '../../src/cli/fetch-options.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tunstack-fetch-'))
  writeFileSync(join(folder, 'lines'), 'a\r\nb\n')
  writeFileSync(join(folder, 'format'), '%{http_code}')
})
afterAll(() => rmSync(folder, { recursive: true }))

async function settings(...args: string[]): Promise<FetchSettings> {
  const collected: Collected = { data: [], outputs: [] }
  const command = new Command('fetch')
    .argument('[url...]')
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
  addFetchOptions(command, collected)
  command.parse(args, { from: 'user' })
  return fetchSettings(command.opts(), collected)
}

const body = ({ body }: FetchSettings): string => Buffer.from(body?.bytes ?? []).toString()

describe('methods and bodies', () => {
  test.each([
    [[], 'GET'],
    [['-I'], 'HEAD'],
    [['-d', 'x'], 'POST'],
    [['-X', 'DELETE'], 'DELETE'],
    [['-X', 'PATCH', '-d', 'x'], 'PATCH'],
    [['-T', '/dev/null'], 'PUT'],
  ])('%j is %s', async (args, method) => {
    expect((await settings(...args)).method).toBe(method)
  })

  test('several -d are joined in their order, whatever their kind', async () => {
    const file = join(folder, 'lines')
    expect(body(await settings('-d', 'a=1', '--data-raw', '@b', '-d', ''))).toBe('a=1&@b&')
    expect(body(await settings('-d', `@${file}`))).toBe('ab')
    expect(body(await settings('--data-binary', `@${file}`, '-d', 'x'))).toBe('a\r\nb\n&x')
  })

  test('a missing file is exit code 26, two bodies a usage error', async () => {
    await expect(settings('-d', '@/nonexistent')).rejects.toMatchObject({ exitCode: 26 })
    await expect(settings('-T', '/nonexistent')).rejects.toMatchObject({ exitCode: 26 })
    await expect(settings('-T', folder)).rejects.toMatchObject({ exitCode: 26 })
    await expect(settings('-T', '/dev/null', '-d', 'x')).rejects.toMatchObject({ exitCode: 2 })
    await expect(settings('-I', '-d', 'x')).rejects.toMatchObject({ exitCode: 2 })
  })
})

describe('headers', () => {
  const lines = async (...args: string[]): Promise<string[]> =>
    requestHeaders(await settings(...args), 'h:80', null, 'tunstack/1').map(([name, value]) => `${name}: ${value}`)

  test('are those of curl, in its order', async () => {
    expect(await lines()).toEqual(['Host: h:80', 'User-Agent: tunstack/1', 'Accept: */*'])
    expect(await lines('-A', 'me', '-r', '500', '-d', 'x')).toEqual([
      'Host: h:80',
      'Range: bytes=500-',
      'User-Agent: me',
      'Accept: */*',
      'Content-Type: application/x-www-form-urlencoded',
    ])
  })

  test('-H replaces, adds, leaves out, and sends empty', async () => {
    const args = ['-H', 'accept: text/html', '-H', 'User-Agent:', '-H', 'X-A: 1', '-H', 'X-A: 2', '-H', 'X-Empty;']
    expect(await lines(...args)).toEqual(['Host: h:80', 'accept: text/html', 'X-A: 1', 'X-A: 2', 'X-Empty: '])
    await expect(lines('-H', 'no colon')).rejects.toMatchObject({ exitCode: 2 })
  })
})

test('flags may be put together, as -sSfLo FILE', async () => {
  const { silent, showError, fail, follow, outputs } = await settings('-sSfLo', 'a', '-O', '-o', '-')
  expect({ silent, showError, fail, follow }).toEqual({ silent: true, showError: true, fail: true, follow: true })
  expect(outputs).toEqual([{ kind: 'file', path: 'a' }, { kind: 'remote-name' }, { kind: 'file', path: '-' }])
})

test('ranges, times and versions', async () => {
  expect((await settings('-r', '-500')).range).toBe('-500')
  expect((await settings('-r', '0-1,5-')).range).toBe('0-1,5-')
  await expect(settings('-r', 'x')).rejects.toMatchObject({ exitCode: 2 })
  expect(await settings('-m', '0.5', '--connect-timeout', '2', '-0')).toMatchObject({
    maxTime: 0.5,
    connectTimeout: 2,
    httpVersion: '1.0',
  })
  expect((await settings('-w', `@${join(folder, 'format')}`)).writeOut).toBe('%{http_code}')
  await expect(settings('-m', '0')).rejects.toThrow('at least 0.001')
})
