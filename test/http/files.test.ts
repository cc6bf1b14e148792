// Static files over a source in memory.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { contentTypeOf } from '../../src/http/content-types.ts'
import { decodePath, type FileOptions, type FileSource, fileHandler } from '../../src/http/files.ts'
import { formatHttpDate } from '../../src/http/grammar.ts'
import { escapeHtml, listingPage } from '../../src/http/listing.ts'
import { parseRange } from '../../src/http/ranges.ts'
import { b } from './helpers.ts'
import { req, type Served, serve, statuses } from './server-helpers.ts'

const MODIFIED = Date.UTC(2024, 0, 2, 3, 4, 5) + 678
const FILES: Record<string, string> = {
  'a.txt': '0123456789',
  'empty.bin': '',
  'dir/index.html': '<h1>hi</h1>',
  'list/<b>&"\'.txt': 'x',
  'list/javascript:alert(1)': 'x',
  'list/sub/x': 'x',
  'list/.hidden': 'x',
  '.git/config': 'secret',
  '.well-known/security.txt': 'ok',
  'evil.com/index.html': 'not evil',
  'sp ace/\u00e9#?.md': 'x',
}

class Memory implements FileSource {
  readonly opened: string[] = []

  async stat(path: string): ReturnType<FileSource['stat']> {
    if (Object.hasOwn(FILES, path)) return { kind: 'file', size: FILES[path].length, modifiedMs: MODIFIED }
    const directory = path === '' || Object.keys(FILES).some((name) => name.startsWith(`${path}/`))
    return directory ? { kind: 'directory', size: 0, modifiedMs: MODIFIED } : null
  }

  async *open(path: string, start: number, end: number): AsyncGenerator<Uint8Array> {
    this.opened.push(path)
    for (let at = start; at < end; at += 4) yield b(FILES[path].slice(at, Math.min(end, at + 4)))
  }

  async list(path: string): ReturnType<FileSource['list']> {
    const prefix = path === '' ? '' : `${path}/`
    const names = Object.keys(FILES).flatMap((name) => (name.startsWith(prefix) ? [name.slice(prefix.length)] : []))
    return [...new Set(names.map((name) => name.split('/')[0]))].map((name) => {
      const file = Object.hasOwn(FILES, prefix + name)
      return {
        name,
        kind: file ? 'file' : 'directory',
        size: file ? FILES[prefix + name].length : 0,
        modifiedMs: MODIFIED,
      }
    })
  }
}

const files = (options: FileOptions = {}): Served & { source: Memory } => {
  const source = new Memory()
  return { ...serve(fileHandler(source, options)), source }
}
const header = (answer: string, name: string): string | undefined =>
  new RegExp(`\r\n${name}: ([^\r]*)`, 'i').exec(answer)?.[1]
const bodyOf = (answer: string): string => answer.slice(answer.indexOf('\r\n\r\n') + 4)

describe('files', () => {
  it('are sent with type, length and validators (RFC 9110 §8)', async () => {
    const answer = await files({ cacheControl: 'max-age=60' }).ask(req('GET /a.txt?x=1'))
    expect(statuses(answer)).toEqual([200])
    expect(bodyOf(answer)).toBe('0123456789')
    expect(header(answer, 'Content-Type')).toBe('text/plain; charset=utf-8')
    expect(header(answer, 'Content-Length')).toBe('10')
    expect(header(answer, 'Last-Modified')).toBe('Tue, 02 Jan 2024 03:04:05 GMT')
    expect(header(answer, 'ETag')).toMatch(/^"[0-9a-f]+-[0-9a-f]+"$/)
    expect(header(answer, 'Accept-Ranges')).toBe('bytes')
    expect(header(answer, 'Cache-Control')).toBe('max-age=60')
    expect(header(answer, 'X-Content-Type-Options')).toBe('nosniff')
  })

  it('HEAD opens nothing and says the same (RFC 9110 §9.3.2)', async () => {
    const served = files()
    const answer = await served.ask(req('HEAD /a.txt'))
    expect([statuses(answer), header(answer, 'Content-Length'), bodyOf(answer)]).toEqual([[200], '10', ''])
    expect(served.source.opened).toEqual([])
  })

  it('other methods are 405 with Allow (RFC 9110 §15.5.6)', async () => {
    const answer = await files().ask(req('DELETE /a.txt'))
    expect([statuses(answer), header(answer, 'Allow')]).toEqual([[405], 'GET, HEAD, OPTIONS'])
  })

  it('what is not there is 404, also a file with a slash behind it', async () => {
    const { ask } = files()
    for (const path of ['/none', '/a.txt/', '/a.txt/x', '/none/'])
      expect(statuses(await ask(req(`GET ${path}`)))).toEqual([404])
  })

  it('encoded names are decoded once', async () => {
    const { ask } = files()
    expect(statuses(await ask(req('GET /sp%20ace/%C3%A9%23%3F.md')))).toEqual([200])
    expect(statuses(await ask(req('GET /a%252etxt')))).toEqual([404])
    expect(statuses(await ask(req('GET //a.txt')))).toEqual([200])
  })

  it('names with a dot in front are hidden unless asked for, .well-known is not (RFC 8615)', async () => {
    const { ask } = files()
    for (const path of ['/.git/config', '/.git/', '/list/.hidden'])
      expect(statuses(await ask(req(`GET ${path}`)))).toEqual([404])
    expect(statuses(await ask(req('GET /.well-known/security.txt')))).toEqual([200])
    expect(await ask(req('GET /list/'))).not.toContain('hidden')
    expect(statuses(await files({ dotFiles: true }).ask(req('GET /.git/config')))).toEqual([200])
  })

  it('types come from a small table', () => {
    expect(contentTypeOf('x.HTML')).toBe('text/html; charset=utf-8')
    expect(contentTypeOf('x.tar.gz')).toBe('application/gzip')
    for (const name of ['x', 'x.', '.constructor', 'x.__proto__', 'x.toString']) {
      expect(contentTypeOf(name)).toBe('application/octet-stream')
    }
  })
})

describe('path safety', () => {
  for (const path of [
    '/../etc/passwd',
    '/a/../../x',
    '/%2e%2e/x',
    '/%2E./x',
    '/a%2fb',
    '/a%2Fb',
    '/a%5cb',
    '/a\\b',
    '/..%5c..%5cx',
    '/a%00.txt',
    '/a%0ab',
    '/%7f',
    '/%',
    '/%zz',
    '/%c0%ae%c0%ae/x',
    '/%ff',
    '/%ed%a0%80',
  ]) {
    it(`${path} is 400 and never reaches the source`, async () => {
      expect(decodePath(path)).toBeNull()
      expect(statuses(await files().ask(req(`GET ${path}`)))).toEqual([400])
    })
  }

  it('no path at all leads outside or holds a separator', () => {
    const piece = fc.constantFrom(
      '/',
      '.',
      '..',
      '%2e',
      '%2E',
      '%2f',
      '%5c',
      '\\',
      'a',
      '%00',
      '%25',
      '//',
      '%',
      '~',
      ':',
    )
    fc.assert(
      fc.property(fc.array(piece), (parts) => {
        for (const segment of decodePath(`/${parts.join('')}`) ?? []) {
          expect(segment).not.toMatch(/^\.{0,2}$/)
          expect(segment).not.toMatch(/[/\\\0]/)
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('directories', () => {
  it('show their index, or are listed, or are 404', async () => {
    expect(bodyOf(await files().ask(req('GET /dir/')))).toBe('<h1>hi</h1>')
    expect(statuses(await files({ index: null, listing: false }).ask(req('GET /dir/')))).toEqual([404])
    expect(await files({ index: null }).ask(req('GET /dir/'))).toContain('href="./index.html"')
  })

  it('without a slash are redirected to it, with the query (RFC 9110 §15.4.2)', async () => {
    const answer = await files().ask(req('GET /dir?x=1'))
    expect([statuses(answer), header(answer, 'Location')]).toEqual([[301], '/dir/?x=1'])
    expect(header(await files().ask(req('GET /sp%20ace')), 'Location')).toBe('/sp%20ace/')
  })

  it('a redirect never names another host (//evil)', async () => {
    const { ask } = files()
    for (const path of ['//evil.com', '///evil.com', '/./evil.com', '//./evil.com', '/.//evil.com']) {
      expect(header(await ask(req(`GET ${path}`)), 'Location')).toBe('/evil.com/')
    }
  })

  it('a listing escapes names and links (no markup, no scheme)', async () => {
    const page = bodyOf(await files().ask(req('GET /list/')))
    expect(page).toContain('<a href="./%3Cb%3E%26%22&#39;.txt">&lt;b&gt;&amp;&quot;&#39;.txt</a>')
    expect(page).toContain('href="./javascript%3Aalert(1)"')
    expect(page).toContain('href="./sub/"')
    expect(page).toContain('href="../"')
    expect(page).not.toContain('<b>')
    expect(bodyOf(await files().ask(req('GET /')))).not.toContain('href="../"')
    expect(listingPage('/</title><script>/', [])).not.toContain('<script>')
    expect(escapeHtml(`<>&"'`)).toBe('&lt;&gt;&amp;&quot;&#39;')
    expect(listingPage('/', [{ name: 'a\ud800', kind: 'file', size: 1, modifiedMs: 0 }])).toContain('./a%EF%BF%BD')
  })
})

describe('conditions', () => {
  const etagOf = async (): Promise<string> => header(await files().ask(req('GET /a.txt')), 'ETag')!
  const when = (ms: number): string => formatHttpDate(ms)
  const get = async (lines: string[]): Promise<number> => statuses(await files().ask(req('GET /a.txt', lines)))[0]

  it('304 when the client\u2019s copy is good, with the validators and no body (RFC 9110 §15.4.5)', async () => {
    const etag = await etagOf()
    const answer = await files().ask(req('GET /a.txt', [`If-None-Match: "x", ${etag}`]))
    expect([statuses(answer), header(answer, 'ETag'), bodyOf(answer)]).toEqual([[304], etag, ''])
    expect(await get([`If-None-Match: W/${etag}`])).toBe(304)
    expect(await get(['If-None-Match: *'])).toBe(304)
    expect(await get(['If-None-Match: "other"'])).toBe(200)
    expect(await get([`If-Modified-Since: ${when(MODIFIED)}`])).toBe(304)
    expect(await get([`If-Modified-Since: ${when(MODIFIED - 1000)}`])).toBe(200)
    expect(await get(['If-Modified-Since: yesterday'])).toBe(200)
  })

  it('If-None-Match goes before If-Modified-Since, If-Match before all (RFC 9110 §13.2.2)', async () => {
    const etag = await etagOf()
    expect(await get(['If-None-Match: "other"', `If-Modified-Since: ${when(MODIFIED)}`])).toBe(200)
    expect(await get(['If-Match: "other"', `If-None-Match: ${etag}`])).toBe(412)
    expect(await get([`If-Match: ${etag}`, `If-Unmodified-Since: ${when(0)}`])).toBe(200)
    expect(await get([`If-Match: W/${etag}`])).toBe(412)
    expect(await get(['If-Match: *'])).toBe(200)
    expect(await get([`If-Unmodified-Since: ${when(MODIFIED - 1000)}`])).toBe(412)
    expect(await get([`If-Unmodified-Since: ${when(MODIFIED)}`])).toBe(200)
  })
})

describe('the clock', () => {
  const at = (nowMs: number, ...lines: string[]): Promise<string> =>
    files({ wallClock: () => nowMs }).ask(req('GET /a.txt', ['Range: bytes=0-1', ...lines]))

  it('Last-Modified is not later than the answer (RFC 9110 §8.8.2.1)', async () => {
    const before = Date.UTC(2020, 0, 1)
    expect(header(await at(before), 'Last-Modified')).toBe(formatHttpDate(before))
    expect(header(await at(MODIFIED + 1), 'Last-Modified')).toBe(formatHttpDate(MODIFIED))
  })

  it('a date within the last second is too weak for If-Range (RFC 9110 §8.8.2.2, §13.1.5)', async () => {
    const ifRange = `If-Range: ${formatHttpDate(MODIFIED)}`
    expect(statuses(await at(MODIFIED, ifRange))).toEqual([200])
    expect(statuses(await at(MODIFIED + 1000, ifRange))).toEqual([206])
  })
})

describe('ranges', () => {
  const get = (range: string, lines: string[] = [], line = 'GET /a.txt'): Promise<string> =>
    files().ask(req(line, [`Range: ${range}`, ...lines]))

  it('one range is 206 with Content-Range (RFC 9110 §14.4, §15.3.7)', async () => {
    for (const [range, contentRange, body] of [
      ['bytes=0-3', 'bytes 0-3/10', '0123'],
      ['bytes=7-', 'bytes 7-9/10', '789'],
      ['bytes=-2', 'bytes 8-9/10', '89'],
      ['bytes=-20', 'bytes 0-9/10', '0123456789'],
      ['bytes=5-500', 'bytes 5-9/10', '56789'],
      ['bytes=9-9', 'bytes 9-9/10', '9'],
      ['bytes=20-30, 1-2', 'bytes 1-2/10', '12'],
    ]) {
      const answer = await get(range)
      expect([statuses(answer)[0], header(answer, 'Content-Range'), bodyOf(answer)]).toEqual([206, contentRange, body])
    }
  })

  it('what cannot be satisfied is 416 with the length (RFC 9110 §15.5.17)', async () => {
    for (const range of ['bytes=10-', 'bytes=-0', 'bytes=11-12, 20-']) {
      const answer = await get(range)
      expect([statuses(answer)[0], header(answer, 'Content-Range')]).toEqual([416, 'bytes */10'])
    }
    expect(statuses(await get('bytes=0-', [], 'GET /empty.bin'))).toEqual([416])
  })

  it('a suffix of an empty file is all of it (RFC 9110 §14.1.2)', async () => {
    expect(statuses(await get('bytes=-5', [], 'GET /empty.bin'))).toEqual([200])
    expect(statuses(await get('bytes=-0', [], 'GET /empty.bin'))).toEqual([416])
  })

  it('what is malformed, of another unit, too much or not for GET is ignored (RFC 9110 §14.2, §17.15)', async () => {
    const many = Array.from({ length: 20 }, () => '0-0').join(',')
    for (const range of [
      'bytes=5-2',
      'bytes=x',
      'bytes=-',
      'bytes=',
      'lines=1-2',
      'bytes=1-2-3',
      `bytes=${many}`,
      'bytes=0-9,0-9',
    ]) {
      expect([range, statuses(await get(range))]).toEqual([range, [200]])
    }
    expect(statuses(await get('bytes=0-1', [], 'HEAD /a.txt'))).toEqual([200])
  })

  it('several ranges are a multipart body of the announced length (RFC 9110 §14.6)', async () => {
    const answer = await get('bytes=0-1, -2, 4-4')
    const boundary = /boundary=(.*)/.exec(header(answer, 'Content-Type')!)![1]
    const part = (range: string, body: string): string =>
      `--${boundary}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes ${range}/10\r\n\r\n${body}\r\n`
    expect(bodyOf(answer)).toBe(`${part('0-1', '01')}${part('8-9', '89')}${part('4-4', '4')}--${boundary}--\r\n`)
    expect(header(answer, 'Content-Length')).toBe(String(bodyOf(answer).length))
  })

  it('If-Range lets a range hold only for the same representation (RFC 9110 §13.1.5)', async () => {
    const etag = header(await get('bytes=0-1'), 'ETag')!
    expect(statuses(await get('bytes=0-1', [`If-Range: ${etag}`]))).toEqual([206])
    expect(statuses(await get('bytes=0-1', ['If-Range: "other"']))).toEqual([200])
    expect(statuses(await get('bytes=0-1', [`If-Range: W/${etag}`]))).toEqual([200])
    expect(statuses(await get('bytes=0-1', [`If-Range: ${formatHttpDate(MODIFIED)}`]))).toEqual([206])
    expect(statuses(await get('bytes=0-1', [`If-Range: ${formatHttpDate(MODIFIED + 5000)}`]))).toEqual([200])
  })

  it('any range field gives ranges inside the representation (RFC 9110 §14.1.2)', () => {
    const piece = fc.constantFrom('0', '1', '9', '10', '-', '-', ',', ' ', '999999999999999', 'x')
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.nat(20), (parts, size) => {
        const ranges = parseRange(`bytes=${parts.join('')}`, size)
        if (typeof ranges === 'string') return
        for (const { start, end } of ranges) {
          expect(start).toBeGreaterThanOrEqual(0)
          expect(end).toBeGreaterThan(start)
          expect(end).toBeLessThanOrEqual(size)
        }
      }),
      { numRuns: 500 },
    )
  })
})
