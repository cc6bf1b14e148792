import { writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { Chromium } from './chromium.ts'
import { Background, BIN, curl, interfaces, run } from './helpers.ts'

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

/** The demonstration that goes on, and where its page is. */
async function staying(...options: string[]): Promise<{ demo: Background; origin: string; page: string }> {
  const demo = new Background(process.execPath, [BIN, 'demo', '--delay', '2ms', '--inspect', '0', ...options])
  await demo.until(() => demo.stderr.includes('Ctrl-C'), 30_000)
  const [, origin] = /look at (http:\/\/127\.0\.0\.1:\d+)\/\.tunstack\/\n/.exec(demo.stderr) ?? []
  return { demo, origin, page: `${origin}/.tunstack/` }
}

/** The status of an answer. */
const statusOf = async (...args: string[]): Promise<string> =>
  (await curl('-o', '/dev/null', '-w', '%{http_code}', ...args)).text

describe('tunstack demo --inspect', { timeout: 60_000 }, () => {
  test('goes on in its namespace, and a browser outside has the live page over our TCP', async () => {
    const before = interfaces()
    const { demo, origin, page } = await staying()
    const browser = await Chromium.start()
    try {
      await browser.look(1280, 800, 'light')
      await browser.send('Page.navigate', { url: page })
      await browser.until(`document.querySelectorAll('#ladder li').length > 3`)
      const own = `document.querySelector('.mine').parentElement.textContent`
      expect(await browser.evaluate(own)).toMatch(/^ ESTAB 10\.77\.0\.2:80 ◀▶ 10\.77\.0\.1:\d+ .*this page.*cwnd:\d+/)
      // The visits in between: their connections come and go, and are drawn.
      await browser.until(`/LAST-ACK → CLOSED/.test(document.getElementById('last').textContent)`)
      await browser.until(`/^10.77.0.2:80 ◀▶ 10.77.0.1:\\d+$/.test(document.getElementById('shown').textContent)`)
      expect(await browser.pixels('sequence', '--c0')).toBeGreaterThan(100)
      await browser.turn('congestion', 'reno')
      await browser.until(`/ reno /.test(${own})`)
      await browser.turn('loss', '2')
      await browser.until(`document.getElementById('status').textContent.startsWith('loss: 2')`)
      const shot = process.env['TUNSTACK_SCREENSHOT']
      if (shot !== undefined) writeFileSync(shot, await browser.picture(true))
      expect(browser.complaints).toEqual([])
      const foreign = browser.requests.filter((url) => !/^(about:blank$|data:)/.test(url) && !url.startsWith(page))
      expect(foreign).toEqual([])
      expect(interfaces()).toEqual(before)
    } finally {
      await browser.close()
      expect(await demo.stop('SIGINT')).toEqual({ code: 0, signal: null })
    }
    expect((await curl(origin)).code).toBe(7)
    expect(demo.stderr.split('\n').filter((line) => /tunstack:|rror/.test(line))).toEqual([])
  })

  test('answers to the names of its door alone, and whoever kills it leaves nothing of it', async () => {
    const { demo, origin, page } = await staying()
    const port = new URL(origin).port
    expect(await statusOf(page)).toBe('200')
    expect(await statusOf(`http://localhost:${port}/.tunstack/`)).toBe('200')
    expect(await statusOf(`${origin}/picture-1.png`)).toBe('200')
    for (const name of ['evil.example', `evil.example:${port}`, '10.77.0.2', '127.0.0.1', '127.0.0.1:80', 'localhost'])
      expect([name, await statusOf('-H', `Host: ${name}`, page)]).toEqual([name, '403'])
    const turn = ['-H', 'Content-Type: application/json', '-d', '{"loss":0}', `${page}knobs`]
    expect(await statusOf('-H', `Origin: http://evil.example:${port}`, ...turn)).toBe('403')
    expect(await statusOf('-H', `Origin: ${origin}`, ...turn)).toBe('200')
    expect(await demo.stop('SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' })
    expect((await curl(origin)).code).toBe(7)
  })

  test('does the same over a cable in memory, where no TUN device can be had', async () => {
    const { demo, origin, page } = await staying('--virtual')
    expect((await curl(origin)).text).toContain('<h1>This page came from a TCP')
    const events = await curl('-N', '-m', '2', `${page}events`)
    expect(events.text).toMatch(/event: telling\ndata: .*"10\.77\.0\.2:80","remote":"10\.77\.0\.1:/)
    expect(await statusOf('-H', 'Host: evil.example', page)).toBe('403')
    expect(await demo.stop()).toEqual({ code: 0, signal: null })
  })

  test.each([
    ['x', /whole number from 0 to 65535/, 2],
    ['65536', /whole number from 0 to 65535/, 2],
  ])('--inspect %s is refused', async (port, message, status) => {
    const { code, stderr } = await run(process.execPath, [BIN, 'demo', '--inspect', port])
    expect([code, stderr]).toEqual([status, expect.stringMatching(message)])
  })
})
