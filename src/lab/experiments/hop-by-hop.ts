// E15: the Connection field. All that it names ends at the next hop, and some fields do so by themselves; the rest goes from end to end.

import type { HopRecord } from '../../http/proxy-options.ts'
import { claimExact, figure } from '../claims.ts'
import { defineExperiment } from '../define.ts'
import { nodeAt, PROXY_PORT, rowOf, serveProxy } from '../hops.ts'
import type { Claim } from '../types.ts'
import { bodyOf, browse, serve } from '../web.ts'

type Field = readonly [string, string]

/** Fields of the request: of one hop, and from end to end. */
const ONE_HOP: readonly Field[] = [
  ['Connection', 'X-Private, Keep-Alive'],
  ['X-Private', 'for the next one only'],
  ['Keep-Alive', 'timeout=9'],
  ['Proxy-Connection', 'Keep-Alive'],
  ['Upgrade', 'h2c'],
]
const END_TO_END: readonly Field[] = [
  ['Accept-Language', 'ko'],
  ['X-Public', 'for all'],
]
/** Fields of the answer: of one hop, and from end to end. */
const ANSWER_ONE_HOP: readonly Field[] = [
  ['Connection', 'X-Server-Private'],
  ['X-Server-Private', 'for the next one only'],
  ['Proxy-Authenticate', 'Basic realm="nobody"'],
]
const ANSWER_END_TO_END: readonly Field[] = [['X-Server-Public', 'for all']]

const names = (fields: readonly Field[]): string[] => fields.map(([name]) => name.toLowerCase())

/** Which of the wanted fields are there. */
function present(fields: readonly Field[], wanted: readonly Field[]): string[] {
  const there = new Set(names(fields))
  return names(wanted).filter((name) => there.has(name))
}

const of = (hops: readonly HopRecord[], what: HopRecord['what']): readonly Field[] =>
  hops.find((hop) => hop.what === what)?.fields ?? []

const listed = (fields: readonly string[]): string => (fields.length === 0 ? 'none' : fields.join(' '))

/** What the claims are reckoned from. */
interface Measured {
  readonly first: readonly HopRecord[]
  readonly inFirst: readonly Field[]
  readonly asked: readonly Field[]
  readonly seen: readonly Field[]
  readonly got: readonly Field[]
  readonly via: (fields: readonly Field[]) => string
}

function claimsOf({ first, inFirst, asked, seen, got, via }: Measured): Claim[] {
  return [
    claimExact(
      { text: 'The first proxy gets all that the client has sent.', because: 'it is the next hop', unit: 'fields' },
      present(inFirst, asked).length,
      asked.length,
    ),
    claimExact(
      {
        text: 'It sends on none that Connection names, and none that is of one hop anyway.',
        because: 'RFC 9110 §7.6.1',
        unit: 'fields',
      },
      listed(present(of(first, 'request-out'), ONE_HOP)),
      'none',
    ),
    claimExact(
      { text: 'The server sees none of them either.', because: 'RFC 9110 §7.6.1', unit: 'fields' },
      listed(present(seen, ONE_HOP)),
      'none',
    ),
    claimExact(
      { text: 'What is meant for all gets there.', because: 'end-to-end fields are passed on', unit: 'fields' },
      listed(present(seen, END_TO_END)),
      listed(names(END_TO_END)),
    ),
    claimExact(
      { text: 'Each proxy has put itself into Via, in order.', because: 'RFC 9110 §7.6.3' },
      via(seen),
      '1.1 first, 1.1 second',
    ),
    claimExact(
      {
        text: 'On the way back it is the same: what the server meant for the second proxy stays there.',
        because: 'RFC 9110 §7.6.1; §11.7.1: a challenge for a proxy is of its hop',
        unit: 'fields',
        beside: [figure('from end to end', listed(present(got, ANSWER_END_TO_END)))],
      },
      listed(present(got, ANSWER_ONE_HOP.slice(1))),
      'none',
    ),
  ]
}

/** E15: what each hop got and sent. */
export const hopByHop = defineExperiment({
  id: 'hop-by-hop',
  fact: 'E15',
  title: 'What the Connection field names ends at the next hop',
  question: 'Which fields of a request get through a chain of proxies, and which of an answer?',
  read: ['RFC 9110 §7.6.1', 'RFC 9110 §7.6.3 (Via)', 'RFC 9112 appendix C.2.2'],
  parameters: { rtt: { default: '20ms', unit: 'time', range: ['2ms', '1s'], doc: 'round trip of each link' } },
  topology: ({ rtt }) => rowOf(['client', 'first', 'second', 'server'], rtt),
  figures: ['ladder'],

  async run(context) {
    const world = context.world({ label: 'two proxies' })
    const { hops, seen, got } = await world.run(async () => {
      let seen: readonly Field[] = []
      await serve(world, 'server', (request) => {
        seen = request.headers.toJSON() as Field[]
        return { headers: [...ANSWER_ONE_HOP, ...ANSWER_END_TO_END] as [string, string][], body: bodyOf(100) }
      })
      const first = await serveProxy(world, 'first', { parent: nodeAt('second') })
      const second = await serveProxy(world, 'second')
      const { client } = browse(world, 'client', { proxy: { url: `http://first:${PROXY_PORT}` } })
      const headers = [...ONE_HOP, ...END_TO_END] as [string, string][]
      const response = await client.fetch('http://server/', { headers })
      await response.discard()
      return { hops: [first.hops, second.hops], seen, got: response.headers.toJSON() as Field[] }
    })
    const [first, second] = hops
    const inFirst = of(first, 'request-in')
    const asked = [...ONE_HOP, ...END_TO_END]
    const via = (fields: readonly Field[]): string =>
      fields.flatMap(([name, value]) => (name.toLowerCase() === 'via' ? [value] : [])).join(', ')
    const mark = (fields: readonly Field[], name: string): string =>
      names(fields).includes(name.toLowerCase()) ? 'yes' : ''
    return {
      claims: claimsOf({ first, inFirst, asked, seen, got, via }),
      tables: [
        {
          title: 'The request, hop by hop',
          columns: ['field', 'client > first', 'first > second', 'second > server'],
          rows: [...asked, ['Via', ''] as Field].map(([name]) => [
            name,
            mark(inFirst, name),
            mark(of(second, 'request-in'), name),
            mark(seen, name),
          ]),
        },
        {
          title: 'The answer, hop by hop',
          columns: ['field', 'server > second', 'second > first', 'first > client'],
          rows: [...ANSWER_ONE_HOP, ...ANSWER_END_TO_END, ['Via', ''] as Field].map(([name]) => [
            name,
            mark(of(second, 'response-in'), name),
            mark(of(first, 'response-in'), name),
            mark(got, name),
          ]),
        },
      ],
    }
  },
})
