// npm run http-diff -- --minutes 10 [--seed 1] [--no-nginx]: our reading of requests beside that of Node's parser and of nginx (on
// loopback), on streams bent by chance and on streams derived from the grammar. Exits with 1 when something differs that docs/http-differences.md does not explain.

import { parseArgs } from 'node:util'
import { SeededRandom } from '../../src/base/random.ts'
import { ACCEPTED, emptyResult, type Finding, searchNode, WIDE_EXTENSION } from './differences.ts'
import { generateStream } from './generate.ts'
import { generateValid } from './grammar.ts'
import { Nginx } from './nginx.ts'
import { readByNode, readByOurs } from './parsers.ts'

/** Why both Node and nginx refuse what we take, where the RFCs leave us no choice; null when nothing explains it. */
function whyBothRefuse(text: string, methods: readonly string[]): string | null {
  if (methods.some((method) => !/^[A-Z_-]+$/.test(method)))
    return 'a method of other letters than A to Z (RFC 9110 §9.1)'
  // What nginx refuses there: a Host with a tab beside it (RFC 9110 §5.6.3) or an odd dot, `_`, `~` or a query right behind the host of
  // an absolute target (RFC 3986 §3.2.2), the targets of CONNECT and of OPTIONS *.
  const odd = [
    /^Host:(?:[^\r\n]*\t|[ \t]*\.|[^\r\n]*\.\.)/im,
    /:\/\/(?:\.|[^ /]*(?:\.\.|[_~?]))/,
    /CONNECT |OPTIONS \* /,
  ]
  const isNginx = odd.some((one) => one.test(text))
  if (WIDE_EXTENSION.test(text) && isNginx)
    return 'whitespace in a chunk extension (Node), and something that nginx refuses'
  // nginx takes no empty Host (RFC 9112 §3.2 does); Node refuses the same request for another reason of the list.
  return /^Host:[ \t]*\r/im.test(text) ? 'an empty Host, and something that Node refuses' : null
}

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
    nginx: { type: 'boolean', default: true },
  },
  allowNegative: true,
})
const seed = Number(values.seed)
const endMs = performance.now() + Number(values.minutes) * 60_000
let isBad = false

if (values.nginx) await searchNginx(seed, Math.min(20_000, 4000 * Number(values.minutes)))
const result = emptyResult()
for (let next = seed; performance.now() < endMs; next++) {
  searchNode(next, () => result.streams % 5000 !== 4999, result)
  result.streams++
}
tell(`Node ${process.version}: ${result.streams} streams, ${result.messages} messages`, [...result.findings.values()])
for (const key of result.unknown) {
  isBad = true
  console.log(`NOT EXPLAINED: ${key}\n  ${JSON.stringify(result.findings.get(key)?.stream)}`)
}
process.exitCode = isBad ? 1 : 0

/** Compares the number of heads that each reads: nginx answers at the end of a head. */
async function searchNginx(from: number, streams: number): Promise<void> {
  const nginx = new Nginx(18_080)
  const found = new Map<string, Finding>()
  const random = new SeededRandom(from)
  let messages = 0
  try {
    await nginx.ready()
    for (let i = 0; i < streams && performance.now() < endMs; i += 16) {
      const texts = Array.from({ length: 16 }, (_, n) =>
        n % 2 === 0 ? generateStream(random) : generateValid(random).text,
      )
      const readings = await Promise.all(texts.map((text) => nginx.read(text)))
      for (const [index, { statuses }] of readings.entries()) {
        const key = judge(texts[index], statuses)
        messages += statuses.length
        if (key === null) continue
        const old = found.get(key)
        const stream = old === undefined || texts[index].length < old.stream.length ? texts[index] : old.stream
        found.set(key, { key, count: (old?.count ?? 0) + 1, stream })
      }
    }
  } finally {
    await nginx.stop()
  }
  tell(`nginx: ${streams} streams, ${messages} answers`, [...found.values()])
  for (const { key, stream } of found.values()) {
    if (!key.startsWith('DESYNC')) continue
    isBad = true
    console.log(`NOT EXPLAINED: ${key}\n  ${JSON.stringify(stream)}`)
  }
}

function judge(text: string, statuses: readonly number[]): string | null {
  const ours = readByOurs(Buffer.from(text, 'latin1'))
  const theirs = statuses.filter((status) => status === 299 || status === 405).length
  const isError = ours.end !== 'open' && ours.end !== 'closed'
  const heads = ours.requests.length
  const whole = ours.requests.filter((one) => one.complete).length
  // A bad body that came with its head gets its 400 from nginx in the place of the answer.
  if (theirs === heads || (isError && theirs >= whole && theirs <= heads)) return null
  if (theirs > heads) {
    if (isError) return `refuses ${ours.end}`
    if (ours.end === 'closed') return 'closes'
    if (whole === heads) return 'waits for the end of a line'
    const decided = readByOurs(Buffer.from(`${text}\r\n\r\n`, 'latin1')).end
    return decided !== 'open' && decided !== 'closed' ? `refuses ${decided}` : `DESYNC: ${heads} heads, nginx ${theirs}`
  }
  const node = readByNode(Buffer.from(text, 'latin1'), false)
  const refused = statuses.find((status) => status >= 400 && status !== 405)
  // What both refuse is allowed where the RFCs leave no choice.
  if (refused !== undefined && node.requests.length === theirs) {
    const methods = ours.requests.map((one) => one.method)
    const why = whyBothRefuse(text, methods)
    return why === null ? `DESYNC: both refuse (nginx ${refused}, Node ${node.end})` : `both refuse ${why}`
  }
  return `accepts nginx ${refused ?? 'closes'}`
}

function tell(title: string, findings: readonly Finding[]): void {
  console.log(title)
  for (const { key, count, stream } of [...findings].sort((a, b) => (a.key < b.key ? -1 : 1))) {
    const why = ACCEPTED[key.split(' ').at(-1) ?? '']
    console.log(
      `  ${String(count).padStart(8)}  ${key}${key.includes(' accepts ') && why !== undefined ? `: ${why}` : ''}`,
    )
    if (process.env['HTTP_DIFF_EXAMPLES'] !== undefined) console.log(`            ${JSON.stringify(stream)}`)
  }
}
