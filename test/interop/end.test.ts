import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Background, curl, folder, interfaces, MIB, run, serve, writeBytes } from './helpers.ts'

// However the server ends in the middle of a transfer: no interface stays, and Linux's side hears of it where we could still say so.
const files = folder()
const URL4 = 'http://10.77.0.2'
const before = interfaces()
let server: Background | null = null

beforeAll(() => {
  writeBytes(files.file('big.bin'), 100 * MIB, 7)
})
afterEach(async () => {
  await server?.stop('SIGKILL')
  server = null
})
afterAll(() => files.remove())

async function interrupted(signal: NodeJS.Signals): Promise<{ curlCode: number; ss: string; code: number | null }> {
  server = await serve([files.path, '--quiet', '--rate', '20mbit'], `${URL4}/`)
  const download = new Background('curl', ['-q', '-sS', '-m', '20', '-o', '/dev/null', `${URL4}/big.bin`])
  await new Promise((resolve) => setTimeout(resolve, 700))
  const { code } = await server.stop(signal)
  // Once the interface is gone nothing can reach curl any more but what came before.
  const ended = await Promise.race([
    download.exited,
    new Promise<null>((resolve) => setTimeout(() => resolve(null), 1500)),
  ])
  const ss = (await run('ss', ['-tnH', 'dst', '10.77.0.2'])).text
  if (ended === null) await download.stop('SIGKILL')
  return { curlCode: ended?.code ?? -1, ss, code }
}

describe('the end of the server in the middle of a transfer', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)('by %s resets the connection and leaves no interface', async (signal) => {
    const { curlCode } = await interrupted(signal)
    expect([18, 56]).toContain(curlCode) // curl: partial file, or reset by peer
    expect(interfaces()).toEqual(before)
  })

  test('by SIGKILL leaves no interface', async () => {
    await interrupted('SIGKILL')
    expect(interfaces()).toEqual(before)
  })

  test('a second server can start at once', async () => {
    server = await serve([files.path, '--quiet'], `${URL4}/`)
    expect((await curl('-I', `${URL4}/big.bin`)).code).toBe(0)
  })
})
