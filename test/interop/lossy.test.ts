import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Background, curl, folder, MIB, serve, sha256File, writeBytes } from './helpers.ts'

// 1 % loss, 20 ms each way, reordering and duplication on the device, in both directions: what arrives is still what was sent.
const files = folder()
const OUT = folder()
const URL4 = 'http://10.77.0.2'
const BYTES = 4 * MIB
const BAD_LINE = ['--loss', '1%', '--delay', '20ms', '--reorder', '2%', '--duplicate', '1%', '--seed', '11']
let server: Background
let hash = ''

beforeAll(async () => {
  hash = writeBytes(files.file('data.bin'), BYTES, 3)
  server = await serve([files.path, '--upload', '--quiet', ...BAD_LINE], `${URL4}/`)
})
afterAll(async () => {
  await server?.stop()
  files.remove()
  OUT.remove()
})

describe('a lossy, slow, reordering, duplicating line', () => {
  test('gives curl every byte', async () => {
    const got = await curl('-o', OUT.file('data'), `${URL4}/data.bin`)
    expect(got.code).toBe(0)
    expect(await sha256File(OUT.file('data'))).toBe(hash)
  })

  test('gives us every byte that curl sends', async () => {
    const got = await curl('--data-binary', `@${files.file('data.bin')}`, `${URL4}/upload`)
    expect(JSON.parse(got.text)).toEqual({ bytes: BYTES, sha256: hash })
  })
})
