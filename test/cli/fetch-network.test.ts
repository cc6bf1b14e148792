// Options of fetch about connections and tries, forms, and the load generator.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { SECOND } from '../../src/base/time.ts'
import { withPipelinedUrl } from '../../src/cli/fetch.ts'
import { multipartForm } from '../../src/cli/fetch-form.ts'
import { networkOptions, networkSettings, retrySettings } from '../../src/cli/fetch-network.ts'
import { isTransientFailure, isTransientStatus, retryDelayUs } from '../../src/cli/fetch-retry.ts'
import { LatencyHistogram } from '../../src/cli/histogram.ts'
import { type LoadPlan, runLoad } from '../../src/cli/load-run.ts'
import { parseOrigin, parseServer } from '../../src/cli/proxy.ts'
import { streamPair, VirtualScheduler } from '../http/helpers.ts'
import { answer, ScriptedServer } from '../http/pool-helpers.ts'

function parsed(...args: string[]): Record<string, unknown> {
  const command = new Command('fetch')
    .argument('[url...]')
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
  for (const option of networkOptions()) command.addOption(option)
  command.parse(args, { from: 'user' })
  return command.opts()
}
const network = (...args: string[]) => networkSettings(parsed(...args))

describe('connections', () => {
  test('the server behind a proxy is written with its scheme or its port', () => {
    expect(parseServer('http://foo')).toEqual({ protocol: 'http:', host: 'foo', port: 80 })
    expect(parseOrigin('foo:8080')).toEqual({ protocol: 'http:', host: 'foo', port: 8080 })
    expect(parseOrigin('[fd77::1]:80').host).toBe('fd77::1')
    for (const text of ['foo', '10.77.0.1', '', 'ftp://foo', 'http://u@foo', 'foo:0x1']) {
      expect(() => parseServer(text), text).toThrow(TypeError)
    }
  })

  test('what stands behind --pipeline and is no depth is a URL, in its place', () => {
    expect(network('--pipeline', 'http://x/')).toMatchObject({ pipelineDepth: 4 })
    const args = ['fetch', 'http://a/', '--pipeline', 'http://x/', 'http://z/']
    const urls = withPipelinedUrl(['http://a/', 'http://z/'], { pipeline: 'http://x/' }, args)
    expect(urls).toEqual(['http://a/', 'http://x/', 'http://z/'])
    expect(withPipelinedUrl(['http://a/'], { pipeline: '9' }, args)).toEqual(['http://a/'])
    expect(() => withPipelinedUrl([], {}, args)).toThrow('missing')
  })

  test('one transfer after another unless -Z or --pipeline says otherwise', () => {
    expect(network()).toMatchObject({ parallel: 1, maxPerHost: 6, pipelineDepth: 1, keepAlive: true, proxy: null })
    expect(network('-Z')).toMatchObject({ parallel: 50, maxPerHost: 6 })
    expect(network('--pipeline')).toMatchObject({ parallel: 50, maxPerHost: 1, pipelineDepth: 4 })
    expect(network('--pipeline', '9', '--parallel-host-max', '2')).toMatchObject({ pipelineDepth: 9, maxPerHost: 2 })
    expect(network('--no-keepalive').keepAlive).toBe(false)
    expect(() => network('--pipeline', '0')).toThrow('no depth')
    expect([network('--keepalive').keepAlive, network('--no-keepalive').keepAlive]).toEqual([true, false])
  })

  test('proxies: a scheme and a port may be left out, and -U has credentials', () => {
    expect(String(network('-x', '10.0.0.1').proxy?.url)).toBe('http://10.0.0.1:1080/')
    expect(String(network('-x', 'http://p:80/').proxy?.url)).toMatch(/^http:\/\/p/)
    expect(String(network('-x', 'p:3128', '-U', 'me:a:b').proxy?.url)).toBe('http://me:a%3Ab@p:3128/')
    expect(network('-x', 'p:1', '--noproxy', 'a, .b').proxy?.noProxy).toEqual(['a', '.b'])
    for (const bad of ['socks5://p', 'ftp://p:1', ':']) expect(() => network('-x', bad)).toThrow(/\(5\)/)
  })

  test('-4 and -6 exclude each other; DNS servers are addresses', () => {
    expect([network('-4').family, network('-6').family, network().family]).toEqual([4, 6, null])
    expect(() => parsed('-4', '-6')).toThrow(/cannot be used/)
    expect(network('--dns', '10.0.0.1:5353').dnsServers).toEqual(['10.0.0.1:5353'])
    expect(() => parsed('--dns', 'name')).toThrow()
  })
})

describe('--retry', () => {
  const settings = retrySettings(parsed('--retry', '3'))

  test('timeouts and passing statuses are worth another try, as with curl', () => {
    expect([408, 429, 500, 502, 503, 504].every(isTransientStatus)).toBe(true)
    expect([200, 301, 404, 501].some(isTransientStatus)).toBe(false)
    expect(isTransientFailure(28, '', settings)).toBe(true)
    expect(isTransientFailure(7, 'Connection refused', settings)).toBe(false)
    expect(isTransientFailure(7, 'Connection refused', retrySettings(parsed('--retry-connrefused')))).toBe(true)
    expect(isTransientFailure(18, '', retrySettings(parsed('--retry-all-errors')))).toBe(true)
  })

  test('the wait doubles to ten minutes, or is as told by --retry-delay or Retry-After (RFC 9110 §10.2.3)', () => {
    const wait = (attempt: number, after: string | null = null, given = settings) =>
      retryDelayUs(attempt, given, after, Date.UTC(2026, 0, 1)) / SECOND
    expect([1, 2, 3, 20].map((n) => wait(n))).toEqual([1, 2, 4, 600])
    expect(wait(1, '7')).toBe(7)
    expect(wait(1, 'Thu, 01 Jan 2026 00:00:30 GMT')).toBe(30)
    expect(wait(1, 'soon')).toBe(1)
    expect(wait(5, null, retrySettings(parsed('--retry-delay', '0')))).toBe(0)
  })
})

test('-F: text, files with their names and types, and nothing that could end a line (RFC 7578 §4.2)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tunstack-form-'))
  writeFileSync(join(folder, 'f.txt'), 'content')
  const { bytes, contentType } = multipartForm(
    ['a=1;2', `b=@${folder}/f.txt;type=text/plain`, `c=<${folder}/f.txt`, 'd"\r\nX: y=z'],
    'B',
  )
  expect(contentType).toBe('multipart/form-data; boundary=B')
  expect(bytes.toString()).toBe(
    '--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n1;2\r\n' +
      '--B\r\nContent-Disposition: form-data; name="b"; filename="f.txt"\r\nContent-Type: text/plain\r\n\r\ncontent\r\n' +
      '--B\r\nContent-Disposition: form-data; name="c"\r\n\r\ncontent\r\n' +
      '--B\r\nContent-Disposition: form-data; name="d%22%0D%0AX: y"\r\n\r\nz\r\n--B--\r\n',
  )
  expect(() => multipartForm(['nothing'])).toThrow(/no part/)
  expect(() => multipartForm(['a=@/nonexistent'])).toThrow(/\(26\)/)
  rmSync(folder, { recursive: true })
})

describe('the histogram', () => {
  test('knows every percentile to within a percent, from a microsecond to an hour', () => {
    for (const scale of [1, 100, 10_000, 1_000_000]) {
      const histogram = new LatencyHistogram()
      for (let i = 1; i <= 1000; i++) histogram.add(i * scale)
      for (const p of [1, 50, 90, 99, 99.9, 100]) {
        const exact = Math.ceil(p * 10) * scale
        expect(Math.abs(histogram.percentileUs(p) - exact) / exact).toBeLessThan(0.01)
      }
      expect([histogram.leastUs, histogram.mostUs, histogram.meanUs]).toEqual([scale, 1000 * scale, 500.5 * scale])
    }
  })

  test('is 0 without values', () => {
    expect(new LatencyHistogram().percentileUs(99)).toBe(0)
  })
})

describe('load', () => {
  const plan: LoadPlan = {
    connections: 1,
    requests: 10,
    durationUs: Number.POSITIVE_INFINITY,
    depth: 1,
    rate: Number.POSITIVE_INFINITY,
    isSerial: false,
    request: { target: '/', headers: { Host: 'h' } },
    timeoutUs: 5 * SECOND,
  }

  async function run(
    changes: Partial<LoadPlan>,
    route: (server: ScriptedServer, scheduler: VirtualScheduler) => void = (server) => server.send(answer('x')),
  ) {
    const scheduler = new VirtualScheduler()
    const servers: ScriptedServer[] = []
    const connect = async () => {
      const [ours, theirs] = streamPair()
      servers.push(
        new ScriptedServer(theirs, { protocol: 'http:', host: 'h', port: 80 }, (one) => route(one, scheduler)),
      )
      return ours
    }
    const done = runLoad({ ...plan, ...changes }, connect, scheduler, new AbortController().signal)
    await scheduler.run(100 * SECOND)
    return { result: await done, servers, scheduler }
  }

  test('so many requests over so many connections, no more and no fewer', async () => {
    for (const changes of [{}, { connections: 3 }, { depth: 4 }, { connections: 2, depth: 3, requests: 20 }]) {
      const { result, servers } = await run(changes)
      const { requests, connections } = { ...plan, ...changes }
      expect([result.answered, result.statuses, result.errors]).toEqual([requests, { 200: requests }, {}])
      expect(servers.flatMap((one) => one.requests).length).toBe(requests)
      expect(servers.length).toBe(connections)
    }
  })

  test('a server that closes gets a new connection; one that breaks is counted by kind', async () => {
    const closing = await run({}, (server) => {
      server.send(answer('x', server.requests.length === 4 ? 'Connection: close\r\n' : ''))
    })
    expect([closing.result.answered, closing.servers.length]).toEqual([10, 3])
    const broken = await run({ requests: 2 }, (server) => server.stream.destroy())
    expect(broken.result.errors).toEqual({ ECONNRESET: 2 })
    const silent = await run({ requests: 1 }, () => undefined)
    expect(silent.result.errors).toEqual({ ETIMEDOUT: 1 })
  })

  test('at a rate, a request that had to wait for a stalled server is as late as it was due', async () => {
    const { result } = await run({ rate: 10, requests: 10 }, (server, scheduler) => {
      const stall = server.requests.length === 1 ? 2 * SECOND : 0
      scheduler.schedule(scheduler.now() + stall, () => server.send(answer('x')))
    })
    expect(result.latency.mostUs).toBe(2 * SECOND)
    // Those due while the first was held were late as well: 1.9 s, 1.8 s, ...
    expect(result.latency.meanUs / SECOND).toBeCloseTo(1.55, 5)
  })

  test('the end of the time ends it, and what was under way is no error', async () => {
    const { result, scheduler } = await run(
      { requests: Number.POSITIVE_INFINITY, durationUs: 3 * SECOND },
      (server, clock) => {
        clock.schedule(clock.now() + SECOND * 0.8, () => server.send(answer('x')))
      },
    )
    expect([result.answered, result.errors, result.elapsedUs]).toEqual([3, {}, 3 * SECOND])
    expect(scheduler.pending).toBe(0)
  })
})
