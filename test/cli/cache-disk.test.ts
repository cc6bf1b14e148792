// The cache's store on disk: found again, kept within limits, and never believed when damaged.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DiskStore } from '../../src/cli/cache-disk.ts'
import { stored } from '../http/cache/cache-helpers.ts'

const record = stored({ 'Cache-Control': 'max-age=60' })
const uri = (path: string): string => `http://o/${path}`
const put = (store: DiskStore, path: string): void => store.set(uri(path), [{ ...record, uri: uri(path) }])
let folder = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tunstack-store-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('the store on disk', () => {
  it('is found again after the next start, and forgets what it is told to', () => {
    put(new DiskStore(folder), 'a')
    const again = new DiskStore(folder)
    expect(again.get(uri('a'))[0]).toMatchObject({ uri: uri('a'), body: Buffer.from('0123456789') })
    expect(again.get(uri('b'))).toEqual([])
    again.set(uri('a'), [])
    expect(readdirSync(folder)).toEqual([])
  })

  it('a file cut off, changed, or half written before a crash is removed; others are left alone', () => {
    const store = new DiskStore(folder)
    for (const path of ['a', 'b', 'c']) put(store, path)
    const [one, two] = readdirSync(folder).map((name) => join(folder, name))
    writeFileSync(one, readFileSync(one).subarray(0, 50))
    const changed = readFileSync(two)
    changed[changed.length - 1] ^= 1
    writeFileSync(two, changed)
    writeFileSync(join(folder, `${'0'.repeat(64)}.new`), 'half')
    writeFileSync(join(folder, 'notes.txt'), 'mine')
    expect(new DiskStore(folder).size).toBe(1)
    expect(readdirSync(folder)).toHaveLength(2)
    // Damaged while it is open, too.
    expect(['a', 'b', 'c'].filter((path) => store.get(uri(path)).length > 0)).toHaveLength(1)
  })

  it('a place where no folder can be made or written to is said to be one, not waited for', () => {
    for (const place of ['/proc/x/y', '/proc/self', join(folder, 'a'.repeat(300))]) {
      expect(() => new DiskStore(place), place).toThrow('--store')
    }
    expect(new DiskStore(join(folder, 'deep/er')).size).toBe(0)
  })

  it('keeps within its entries and bytes: the least recently used goes first', () => {
    const store = new DiskStore(folder, { entries: 2 })
    for (const path of ['a', 'b']) put(store, path)
    store.get(uri('a'))
    put(store, 'c')
    expect(['a', 'b', 'c'].map((path) => store.get(uri(path)).length)).toEqual([1, 0, 1])
    const small = new DiskStore(folder, { bytes: store.bytes - 1 })
    expect(small.size).toBe(1)
    expect(() => new DiskStore(join(folder, readdirSync(folder)[0]))).toThrow('--store')
  })
})
