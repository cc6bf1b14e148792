import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { CliError } from '../../src/cli/errors.ts'
import { hostsAddresses, parseFetchUrl, parseResolve, remoteName, staticAddresses } from '../../src/cli/fetch-url.ts'

function codeOf(run: () => unknown): number {
  try {
    run()
  } catch (error) {
    return (error as CliError).exitCode
  }
  return 0
}

describe('URLs', () => {
  test.each([
    ['http://10.77.0.1:8080/a?b#c', 'http://10.77.0.1:8080/a?b#c'],
    ['10.77.0.1:8080/a', 'http://10.77.0.1:8080/a'],
    ['[fd77::1]/', 'http://[fd77::1]/'],
    ['HTTP://Example.COM', 'http://example.com/'],
  ])('%s is %s', (text, href) => {
    expect(parseFetchUrl(text)).toMatchObject({ url: { href }, authorization: null })
  })

  test('a user name becomes Basic credentials and leaves the URL', () => {
    const { url, authorization } = parseFetchUrl('http://me:p%40ss@10.77.0.1/')
    expect(url.href).toBe('http://10.77.0.1/')
    expect(authorization).toBe(`Basic ${btoa('me:p@ss')}`)
  })

  test('bad ones have the exit code 3, other schemes 1', () => {
    for (const text of ['http://', 'http://a b/', 'http://10.0.0.1:99999/', '']) {
      expect(codeOf(() => parseFetchUrl(text))).toBe(3)
    }
    for (const text of ['ftp://x/', 'file:///etc/passwd']) expect(codeOf(() => parseFetchUrl(text))).toBe(1)
  })

  test('-O takes the last part of the path, decoded, and never leads elsewhere', () => {
    expect(remoteName(new URL('http://x/a/b%20c.txt?q'))).toBe('b c.txt')
    expect(remoteName(new URL('http://x/%zz'))).toBe('%zz')
    for (const path of ['', 'a/', '%2e%2e%2fetc', '..%2f..%2fetc', '%00']) {
      expect(codeOf(() => remoteName(new URL(`http://x/${path}`)))).toBe(23)
    }
  })
})

describe('names', () => {
  const entries = ['Example.com:80:10.0.0.1', '*:81:10.0.0.2,[fd00::2]', '[fd00::9]:80:fd00::1'].map(parseResolve)

  test('--resolve holds for one port, * for all names', () => {
    expect(staticAddresses('example.com', 80, entries)).toEqual(['10.0.0.1'])
    expect(staticAddresses('anything', 81, entries)).toEqual(['10.0.0.2', 'fd00::2'])
    expect(staticAddresses('fd00::9', 80, entries)).toEqual(['fd00::1'])
    for (const text of ['a:80', 'a:99999:1.2.3.4', 'a:80:name', ':80:1.2.3.4'])
      expect(() => parseResolve(text)).toThrow()
  })

  test('addresses stand for themselves', () => {
    expect(staticAddresses('10.0.0.9', 80, entries)).toEqual(['10.0.0.9'])
    expect(staticAddresses('fd00::1', 80, [])).toEqual(['fd00::1'])
  })

  test('a hosts file is read with its comments and aliases', () => {
    const hosts = '127.0.0.1\tlocalhost\n# 10.0.0.1 no\n10.0.0.2 a B # c\n::2 b\nbad b\n'
    expect(hostsAddresses(hosts, 'b')).toEqual(['10.0.0.2', '::2'])
    expect(hostsAddresses(hosts, 'c')).toEqual([])
    const folder = mkdtempSync(join(tmpdir(), 'tunstack-hosts-'))
    writeFileSync(join(folder, 'hosts'), hosts)
    expect(staticAddresses('A', 80, [], join(folder, 'hosts'))).toEqual(['10.0.0.2'])
    rmSync(folder, { recursive: true })
  })

  test('what only DNS can know is null', () => {
    expect(staticAddresses('nowhere', 80, [], '/nonexistent')).toBeNull()
  })
})
