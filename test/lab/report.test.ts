import { parseHTML } from 'linkedom'
import { beforeAll, describe, expect, test } from 'vitest'
import { claimAtLeast, claimExact, claimNear, claimOrder, claimWithin } from '../../src/lab/claims.ts'
import { defineExperiment } from '../../src/lab/define.ts'
import { base64, html, scriptJson } from '../../src/lab/escape.ts'
import { indexHtml, reportHtml } from '../../src/lab/html-report.ts'
import { readParameters } from '../../src/lab/parameters.ts'
import { EXPERIMENTS, experimentNamed } from '../../src/lab/registry.ts'
import { allHold, runExperiment } from '../../src/lab/run.ts'
import { reportLines } from '../../src/lab/text-report.ts'
import { pairOf } from '../../src/lab/topology.ts'
import type { Outcome } from '../../src/lab/types.ts'

const ASSETS = { script: 'draw()', style: 'p { color: red }' }
/** What takes no longer than a moment; the others are run by `npm run lab`. */
const QUICK = [
  'seven-steps',
  'socket-calls',
  'transaction-time',
  'fast-open',
  'four-values',
  'nagle-delayed-ack',
  'half-close',
  'serial-loading',
  'hop-by-hop',
  'dumb-proxy',
  'proxy-connection',
  'truncation',
  'cache-distance',
] as const

describe('an experiment', () => {
  test.each(QUICK)('%s holds, and gives the same bytes a second time', async (name) => {
    const once = await runExperiment(experimentNamed(name))
    expect(once.claims.filter(({ holds }) => !holds)).toEqual([])
    const again = await runExperiment(experimentNamed(name))
    expect(reportHtml(again, ASSETS)).toBe(reportHtml(once, ASSETS))
    expect(reportLines(again)).toEqual(reportLines(once))
  })

  test('is found by its name and by its fact; other names are told what is near', () => {
    expect(experimentNamed('e12').id).toBe('nagle-delayed-ack')
    expect(() => experimentNamed('slow-stat')).toThrow("did you mean 'slow-start'?")
    expect(new Set(EXPERIMENTS.map(({ id }) => id)).size).toBe(EXPERIMENTS.length)
  })

  test('has parameters with units, bounds and words', () => {
    const { parameters } = experimentNamed('slow-start')
    expect(readParameters(parameters, { rtt: '20ms' })).toEqual({
      segments: 40,
      iw: 1,
      rtt: 20_000,
      congestion: 'reno',
    })
    expect(() => readParameters(parameters, { rtt: '20' })).toThrow("--rtt: '20': write a duration")
    expect(() => readParameters(parameters, { iw: '0' })).toThrow('--iw is from 1 to 100, not 0')
    expect(() => readParameters(parameters, { congestion: 'vegas' })).toThrow(
      "--congestion is one of reno, newreno, not 'vegas'",
    )
    expect(() => readParameters(parameters, { iv: '1' })).toThrow("no parameter --iv; did you mean '--iw'?")
  })

  test('that is defined wrongly is refused', () => {
    const { run, ...rest } = experimentNamed('nagle')
    expect(() => defineExperiment({ ...rest, run, id: 'Nagle' })).toThrow('no name')
    expect(() => defineExperiment({ ...rest, run, question: 'What.' })).toThrow('question mark')
    const seed = { default: '1', unit: 'count', doc: '' } as const
    expect(() => defineExperiment({ ...rest, run, parameters: { seed } })).toThrow('option of the command')
  })
})

test('a claim compares as it says, and can fail', () => {
  const sentence = { text: '', because: '' }
  expect([claimExact(sentence, 1, 1), claimExact(sentence, 1, 2)].map(({ holds }) => holds)).toEqual([true, false])
  expect([claimNear(sentence, 119, 100, 0.2), claimNear(sentence, 79, 100, 0.2)].map(({ holds }) => holds)).toEqual([
    true,
    false,
  ])
  expect([claimWithin(sentence, 5, 6, 1), claimWithin(sentence, 5, 6, 0.9)].map(({ holds }) => holds)).toEqual([
    true,
    false,
  ])
  expect(claimAtLeast(sentence, Number.NaN, 1).holds).toBe(false)
  expect(
    claimOrder(sentence, [
      ['a', 1],
      ['b', 1],
    ]).holds,
  ).toBe(false)
})

describe('a report', () => {
  let outcome: Outcome
  beforeAll(async () => {
    const nasty = '</script><script>alert(1)</script>\u2028<!--'
    const experiment = defineExperiment({
      id: 'nasty',
      fact: '',
      title: nasty,
      question: `${nasty}?`,
      read: [nasty],
      parameters: {},
      topology: () => pairOf({ delay: '1ms' }),
      figures: ['ladder', 'waterfall'],
      run: async (context) => {
        const world = context.world({ label: nasty })
        await world.run(() => world.host('client').ping(world.addressOf('server')))
        return { claims: [claimExact({ text: nasty, because: nasty }, 1, 2)], why: [nasty] }
      },
    })
    outcome = await runExperiment(experiment)
  })

  test('keeps texts from becoming HTML or script', () => {
    const page = reportHtml(outcome, ASSETS)
    const { document } = parseHTML(page)
    expect(document.querySelectorAll('script')).toHaveLength(2)
    expect(page).not.toContain('alert(1)</script>')
    expect(page.slice(page.indexOf('id="data"'))).not.toContain('\u2028')
    const data = JSON.parse(document.getElementById('data')?.textContent ?? '')
    expect(data.worlds[0].label).toBe('</script><script>alert(1)</script>\u2028<!--')
  })

  test('needs nothing from elsewhere', () => {
    const page = reportHtml(outcome, ASSETS)
    expect(page.match(/(?:src|href)="(?!index\.html|data:)[^"]*"/g)).toBeNull()
    expect(page).not.toMatch(/url\(|@import|https?:\/\/(?!www\.w3\.org)/)
  })

  test('says what failed, in the page, the index and the terminal', () => {
    expect(allHold(outcome)).toBe(false)
    expect(reportHtml(outcome, ASSETS)).toContain('1 of 1 claims failed')
    expect(indexHtml([outcome], ASSETS)).toContain('1 of 1 failed')
    expect(reportLines(outcome).at(-1)).toBe('nasty: 1 of 1 claims FAILED')
  })

  test('escapes by itself, and writes base64 as RFC 4648 §10 has it', () => {
    expect(html`<b title="${'"&'}">${['<', html`<i>`]}</b>`.text).toBe('<b title="&quot;&amp;">&lt;<i></b>')
    expect(scriptJson('</a>')).toBe('"\\u003c/a>"')
    const bytes = (text: string) => new TextEncoder().encode(text)
    expect(['', 'f', 'fo', 'foo', 'foob'].map((text) => base64(bytes(text)))).toEqual([
      '',
      'Zg==',
      'Zm8=',
      'Zm9v',
      'Zm9vYg==',
    ])
  })
})
