// The live page in a real browser, over the TUN device: it draws, its knobs act, it asks nobody else for anything.

import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Chromium } from './chromium.ts'
import { type Background, curl, folder, serve } from './helpers.ts'

const ORIGIN = 'http://10.77.0.2'
const PAGE = `${ORIGIN}/.tunstack/`
const files = folder()
let server: Background
let browser: Chromium

beforeAll(async () => {
  server = await serve([files.path, '--inspect', '--seed', '1'], PAGE)
  browser = await Chromium.start()
  await browser.look(1280, 800, 'light')
  await browser.send('Page.navigate', { url: PAGE })
  await browser.until('document.body && Number(document.body.dataset.tellings) > 1')
})
afterAll(async () => {
  await browser?.close()
  await server?.stop()
  files.remove()
})

const fetchBytes = async (bytes: number): Promise<void> => {
  await browser.evaluate(`document.getElementById('fetched').textContent = ''`)
  await browser.evaluate(`document.querySelector('[data-bytes="${bytes}"]').click()`)
  await browser.until(`document.getElementById('fetched').textContent.includes('Mbit/s')`, 30_000)
}

describe('the live page', { timeout: 60_000 }, () => {
  test('shows its own connection, lit in figure 5, as ss has it and packet by packet', async () => {
    await browser.until(`document.querySelectorAll('#ladder li').length > 3`)
    const own = await browser.evaluate<string>(`document.querySelector('.mine').parentElement.textContent`)
    expect(own).toMatch(/^ ESTAB 10\.77\.0\.2:80 ◀▶ 10\.77\.0\.1:\d+ .*this page.*cubic .*cwnd:\d+/)
    const lit = await browser.evaluate<string[]>(
      `[...document.querySelectorAll('#states .lit text')].map((t) => t.textContent)`,
    )
    expect(lit.join()).toMatch(/LISTEN 1.*ESTABLISHED \d/)
  })

  test('a knob acts at once: loss shows as segments sent again, in the plots and in ss', async () => {
    await browser.turn('delay', '10')
    await browser.turn('loss', '4')
    await browser.until(`document.getElementById('status').textContent.startsWith('loss: 4')`)
    await fetchBytes(1_000_000)
    const marks = `[...document.querySelectorAll('.socket code')].some((c) => /retrans:\\d+\\/[1-9]/.test(c.textContent))`
    await browser.until(marks)
    await browser.until(`document.getElementById('why').textContent.includes('Sent again')`)
    expect(await browser.pixels('windows', '--c0')).toBeGreaterThan(200)
    expect(await browser.pixels('windows', '--c1')).toBeGreaterThan(100)
    expect(await browser.pixels('sequence', '--c0')).toBeGreaterThan(100)
    expect(await browser.pixels('sequence', '--c1')).toBeGreaterThan(100)
    expect(await browser.pixels('sequence', '--c4')).toBeGreaterThan(5)
    const shot = process.env['TUNSTACK_SCREENSHOT']
    if (shot !== undefined) writeFileSync(shot, await browser.picture())
    await browser.turn('loss', '0')
    await browser.until(`document.getElementById('status').textContent.startsWith('loss: 0')`)
  })

  test('another congestion controller takes over in the connection that carries the page', async () => {
    await browser.turn('congestion', 'reno')
    await browser.until(`/ reno /.test(document.querySelector('.mine').parentElement.textContent)`)
  })

  test('has said nothing on the console, and asked nobody else for anything', async () => {
    expect(browser.complaints).toEqual([])
    expect(
      browser.requests.filter((url) => !url.startsWith(PAGE) && url !== 'about:blank' && !url.startsWith('data:')),
    ).toEqual([])
  })

  test('knobs are turned by the page alone, within their bounds, and by the address alone', async () => {
    const post = (origin: string, body: string, ...more: string[]) =>
      curl(
        '-w',
        '%{http_code}',
        '-o',
        '/dev/null',
        '-H',
        `Origin: ${origin}`,
        '-H',
        'Content-Type: application/json',
        '-d',
        body,
        ...more,
        `${PAGE}knobs`,
      )
    expect((await post('http://evil.example', '{"loss":1}')).text).toBe('403')
    expect((await post(ORIGIN, '{"loss":51}')).text).toBe('400')
    const plain = ['-H', `Origin: ${ORIGIN}`, '-H', 'Content-Type: text/plain', '-d', '{"loss":1}']
    expect((await curl('-w', '%{http_code}', '-o', '/dev/null', ...plain, `${PAGE}knobs`)).text).toBe('415')
    expect((await post(ORIGIN, '{"loss":0}', '-H', 'Host: evil.example')).text).toBe('403')
    expect((await post(ORIGIN, '{"loss":0}')).text).toBe('200')
    expect(
      (await curl('-w', '%{http_code}', '-o', '/dev/null', '-H', 'Host: evil.example', `${PAGE}events`)).text,
    ).toBe('403')
  })
})
