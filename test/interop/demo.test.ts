import { describe, expect, test } from 'vitest'
import { BIN, interfaces, run } from './helpers.ts'

describe('tunstack demo', () => {
  test('lets curl fetch the page in a namespace of its own, shows the segments, and leaves nothing behind', async () => {
    const before = interfaces()
    const start = performance.now()
    const got = await run(process.execPath, [BIN, 'demo'])
    expect(got.code, got.stderr).toBe(0)
    expect(performance.now() - start).toBeLessThan(30_000)
    expect(got.text).toContain("Linux's own curl fetched a page")
    expect(got.text).toMatch(/SYN-SENT\s+──▶\s+Flags \[S\]/)
    expect(got.text).toContain('slow start')
    expect(got.text).toContain('bytes arrived as they were sent')
    expect(interfaces()).toEqual(before)
  })

  test('shows the same on the virtual network', async () => {
    const got = await run(process.execPath, [BIN, 'demo', '--virtual'])
    expect(got.code, got.stderr).toBe(0)
    expect(got.text).toContain('a virtual network')
    expect(got.text).toContain('bytes arrived as they were sent')
  })

  test('finishes over a lossy line too', async () => {
    const got = await run(process.execPath, [BIN, 'demo', '--loss', '3%'])
    expect(got.code, got.stderr).toBe(0)
  })
})
