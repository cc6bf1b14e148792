import { execFileSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { FsSource, READ_BYTES } from '../../src/cli/fs-source.ts'

let folder: string
let root: string
let source: FsSource

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tunstack-fs-'))
  root = join(folder, 'root')
  mkdirSync(join(root, 'sub'), { recursive: true })
  mkdirSync(join(folder, 'root-evil'))
  writeFileSync(join(root, 'a.txt'), 'hello')
  writeFileSync(join(root, 'sub', 'b.txt'), 'below')
  writeFileSync(join(folder, 'secret'), 'SECRET')
  writeFileSync(join(folder, 'root-evil', 'secret'), 'SECRET')
  source = new FsSource(root)
})

afterEach(() => {
  source.close()
  rmSync(folder, { recursive: true, force: true })
})

async function contents(path: string, start = 0, end = 5): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const part of source.open(path, start, end)) parts.push(part)
  return Buffer.concat(parts).toString()
}

describe('what is inside', () => {
  test('a file has its size and contents, whole and in part', async () => {
    expect(await source.stat('a.txt')).toMatchObject({ kind: 'file', size: 5 })
    expect(await contents('a.txt')).toBe('hello')
    expect(await contents('a.txt', 1, 3)).toBe('el')
    expect(await contents('a.txt', 2, 2)).toBe('')
  })

  test('the empty path is the root', async () => {
    expect(await source.stat('')).toMatchObject({ kind: 'directory', size: 0 })
  })

  test('a file larger than a read comes in order', async () => {
    const bytes = Buffer.alloc(2 * READ_BYTES + 77)
    for (let i = 0; i < bytes.length; i += 4) bytes.writeUInt32LE(i, Math.min(i, bytes.length - 4))
    writeFileSync(join(root, 'large'), bytes)
    const parts: Uint8Array[] = []
    for await (const part of source.open('large', 5, bytes.length)) parts.push(part)
    expect(parts.map((part) => part.length)).toEqual([READ_BYTES, READ_BYTES, 72])
    expect(Buffer.concat(parts).equals(bytes.subarray(5))).toBe(true)
  })

  test('symbolic links that stay inside are followed', async () => {
    symlinkSync('sub/b.txt', join(root, 'link'))
    symlinkSync(join(root, 'sub'), join(root, 'absolute'))
    expect(await contents('link')).toBe('below')
    expect(await contents('absolute/b.txt')).toBe('below')
  })

  test('a listing names files and folders, and nothing that could not be fetched', async () => {
    symlinkSync('../secret', join(root, 'out'))
    symlinkSync('a.txt', join(root, 'in'))
    symlinkSync('missing', join(root, 'dangling'))
    execFileSync('mkfifo', [join(root, 'fifo')])
    const names = ((await source.list('')) ?? []).map(({ name, kind }) => `${kind} ${name}`).sort()
    expect(names).toEqual(['directory sub', 'file a.txt', 'file in'])
    expect(await source.list('a.txt')).toBeNull()
    expect(await source.list('missing')).toBeNull()
  })

  test('the root may be a link, and may be renamed while it is served', async () => {
    symlinkSync(root, join(folder, 'root-link'))
    const linked = new FsSource(join(folder, 'root-link'))
    expect(linked.root).toBe(root)
    renameSync(root, join(folder, 'moved'))
    expect(await linked.stat('a.txt')).toMatchObject({ kind: 'file' })
    linked.close()
  })
})

describe('what is outside', () => {
  test.each([
    '..',
    '../secret',
    'sub/../../secret',
    './../secret',
    '/../secret',
    '../root-evil/secret',
    'a.txt/../../secret',
    'sub//b.txt',
    '.',
    '/etc/passwd',
    'a.txt\0',
    '\0',
    `${'x/'.repeat(3000)}y`,
    'x'.repeat(300),
  ])('%j is not there', async (path) => {
    expect(await source.stat(path)).toBeNull()
    expect(await source.list(path)).toBeNull()
    await expect(contents(path)).rejects.toThrow('no longer there')
  })

  test('encoded dots are a name like any other', async () => {
    expect(await source.stat('%2e%2e/secret')).toBeNull()
    mkdirSync(join(root, '%2e%2e'))
    expect(await source.stat('%2e%2e')).toMatchObject({ kind: 'directory' })
  })

  test('symbolic links that leave the root are not there, in whatever part of the path', async () => {
    symlinkSync('../secret', join(root, 'relative'))
    symlinkSync(join(folder, 'secret'), join(root, 'absolute'))
    symlinkSync('..', join(root, 'up'))
    symlinkSync('../root-evil', join(root, 'beside'))
    symlinkSync('/', join(root, 'all'))
    symlinkSync('up/secret', join(root, 'chain'))
    symlinkSync('/proc/self/root', join(root, 'magic'))
    symlinkSync('/proc/self/environ', join(root, 'environ'))
    for (const path of [
      'relative',
      'absolute',
      'up',
      'up/secret',
      'beside',
      'beside/secret',
      'all/etc/passwd',
      'chain',
    ]) {
      expect(await source.stat(path)).toBeNull()
      expect(await source.list(path)).toBeNull()
      await expect(contents(path)).rejects.toThrow()
    }
    for (const path of ['magic/etc/passwd', 'environ']) expect(await source.stat(path)).toBeNull()
  })

  test('a link that goes out and comes back in is followed to what is inside', async () => {
    symlinkSync('../root/a.txt', join(root, 'round'))
    expect(await contents('round')).toBe('hello')
  })

  test('loops of links are not there', async () => {
    symlinkSync('loop', join(root, 'loop'))
    expect(await source.stat('loop')).toBeNull()
  })

  test('FIFOs, sockets and devices are not there and are not waited for', async () => {
    execFileSync('mkfifo', [join(root, 'fifo')])
    symlinkSync('/dev/zero', join(root, 'zero'))
    expect(await source.stat('fifo')).toBeNull()
    expect(await source.stat('zero')).toBeNull()
    await expect(contents('fifo')).rejects.toThrow('no longer there')
  })

  test('a file that is replaced by a link to the outside between stat and open is not read', async () => {
    expect(await source.stat('a.txt')).not.toBeNull()
    unlinkSync(join(root, 'a.txt'))
    symlinkSync('../secret', join(root, 'a.txt'))
    await expect(contents('a.txt')).rejects.toThrow('no longer there')
  })
})

test('a file that shrinks while it is sent fails instead of being padded', async () => {
  truncateSync(join(root, 'a.txt'), 2)
  await expect(contents('a.txt', 0, 5)).rejects.toThrow('shorter')
})

function targetOf(fd: string): string | null {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return null // closed meanwhile
  }
}

test('a reader that stops early leaves no descriptor behind', async () => {
  writeFileSync(join(root, 'large'), Buffer.alloc(4 * READ_BYTES))
  // Only descriptors of this file: the process has others of its own, which come and go.
  const open = (): number => readdirSync('/proc/self/fd').filter((fd) => targetOf(fd) === join(root, 'large')).length
  for (let i = 0; i < 20; i++) {
    for await (const _ of source.open('large', 0, 4 * READ_BYTES)) {
      expect(open()).toBeGreaterThan(0)
      break
    }
  }
  await vi.waitFor(() => expect(open()).toBe(0), { timeout: 10_000, interval: 10 })
})

test('a root that is no folder is a usage error that says so', () => {
  expect(() => new FsSource(join(root, 'a.txt'))).toThrow(/is not a folder/)
  expect(() => new FsSource(join(root, 'missing'))).toThrow(/there is no folder/)
})
