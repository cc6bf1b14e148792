import { statSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { demoSite } from '../../src/cli/demo-page.ts'
import { type Background, folder, run, serve } from './helpers.ts'

const files = folder()
const OUT = folder()
const URL4 = 'http://10.77.0.2'
let server: Background

beforeAll(async () => {
  for (const [path, { body }] of demoSite(10))
    writeFileSync(files.file(path === '/' ? 'index.html' : path.slice(1)), body)
  server = await serve([files.path], `${URL4}/style.css`)
})
afterAll(async () => {
  await server?.stop()
  files.remove()
  OUT.remove()
})

describe('headless Chromium', () => {
  test('loads a page with ten images over the TUN device and paints it', async () => {
    const screenshot = process.env['TUNSTACK_SCREENSHOT'] ?? OUT.file('page.png')
    const flags = [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--no-proxy-server',
    ]
    const quiet = [
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--disable-extensions',
    ]
    const got = await run(
      'chromium',
      [
        ...flags,
        ...quiet,
        `--user-data-dir=${OUT.file('profile')}`,
        '--window-size=900,700',
        '--virtual-time-budget=8000',
        `--screenshot=${screenshot}`,
        `${URL4}/`,
      ],
      { timeoutMs: 90_000 },
    )
    expect(got.code, got.stderr).toBe(0)
    expect(statSync(screenshot).size).toBeGreaterThan(10_000)
    for (const path of demoSite(10).keys())
      expect(server.stderr + server.stdout).toMatch(new RegExp(`GET ${path} HTTP/1\\.1" 200`))
  })
})
