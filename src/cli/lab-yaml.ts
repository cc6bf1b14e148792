// Networks from YAML files, with the words of src/lab/topology.ts; errors name line and column.
// Owns: reading. Does not own: what a network is (src/lab/topology.ts). yaml and valibot are optional: only this file needs them.

import { readFileSync } from 'node:fs'
import type { GenericSchema } from 'valibot'
import type { Document, LineCounter } from 'yaml'
import { checkTopology, type Topology } from '../lab/topology.ts'
import { tcpConfig } from '../tcp/config.ts'

interface Issue {
  readonly message: string
  readonly expected: string | null
  readonly received: string
  readonly path?: readonly { readonly key: unknown }[]
}

/** Reads a file. @throws {TypeError} as `FILE:LINE:COLUMN: what is wrong` */
export async function readTopology(path: string): Promise<Topology> {
  return parseTopology(readFileSync(path, 'utf8'), path)
}

/** A text that was read, and errors at the places of it. */
export interface YamlText {
  readonly value: unknown
  /** An error as `NAME:LINE:COLUMN: what is wrong`; `keys` lead to the value that it is about. */
  readonly fail: (keys: readonly unknown[], message: string) => TypeError
}

/** Reads a text by a schema of valibot. @throws {TypeError} as `NAME:LINE:COLUMN: what is wrong` */
export async function parseYaml(
  text: string,
  name: string,
  schemaOf: (v: Valibot) => GenericSchema,
): Promise<YamlText> {
  const { yaml, v } = await load()
  const counter = new yaml.LineCounter()
  const document = yaml.parseDocument(text, { lineCounter: counter, prettyErrors: false })
  const [broken] = document.errors
  if (broken !== undefined) throw new TypeError(`${name}:${placeOf(counter, broken.pos[0])}: ${broken.message}`)
  const fail = (keys: readonly unknown[], message: string): TypeError =>
    new TypeError(`${name}:${positionOf(document, counter, keys)}: ${message}`)
  const result = v.safeParse(schemaOf(v), document.toJS())
  if (result.success) return { value: result.output, fail }
  const [issue] = result.issues as readonly Issue[]
  const keys = (issue.path ?? []).map(({ key }) => key)
  throw fail(keys, `${keys.length === 0 ? '' : `${keys.join('.')}: `}${issueText(issue)}`)
}

/** What a schema of valibot found, without its words for keys that are none and keys that are not there. */
function issueText({ message, expected, received }: Issue): string {
  if (expected === 'never') return `${received.replaceAll('"', "'")} is no word that may stand here`
  if (received === 'undefined' && expected?.startsWith('"')) return 'it is missing'
  return message
}

/** Reads a text. @throws {TypeError} as `NAME:LINE:COLUMN: what is wrong` */
export async function parseTopology(text: string, name: string): Promise<Topology> {
  const { value, fail } = await parseYaml(text, name, schemaOf)
  const topology = value as Topology
  for (const [host, { tcp }] of Object.entries(topology.hosts)) {
    try {
      if (tcp !== undefined) tcpConfig(tcp)
    } catch (error) {
      throw fail(['hosts', host, 'tcp'], (error as Error).message)
    }
  }
  return checkLinks(topology, fail)
}

/** Each link is checked with all before it, so that the error stands where the link does. */
function checkLinks(topology: Topology, fail: YamlText['fail']): Topology {
  topology.links.forEach((link, i) => {
    try {
      const nodes = new Set([link.from, link.to])
      const hosts = Object.fromEntries(Object.entries(topology.hosts).filter(([host]) => nodes.has(host)))
      const routers = (topology.routers ?? []).filter((router) => nodes.has(router))
      checkTopology({
        hosts: Object.keys(hosts).length > 0 ? hosts : { '-': {} },
        routers,
        links: routers.length === nodes.size ? [] : [link],
      })
    } catch (error) {
      throw fail(['links', i], (error as Error).message)
    }
  })
  try {
    checkTopology(topology)
  } catch (error) {
    throw fail([], (error as Error).message)
  }
  return topology
}

async function load() {
  try {
    return { yaml: await import('yaml'), v: await import('valibot') }
  } catch {
    throw new TypeError('to read YAML install two packages: npm install yaml valibot')
  }
}

/** The package. */
export type Valibot = typeof import('valibot')

function schemaOf(v: Valibot) {
  const amount = v.optional(v.union([v.string(), v.number()]))
  const text = v.optional(v.string())
  const way = {
    delay: amount,
    jitter: amount,
    rate: amount,
    queue: text,
    loss: amount,
    bursts: text,
    reorder: amount,
    reorderBy: amount,
    duplicate: amount,
    corrupt: amount,
  }
  const host = v.strictObject({
    address: v.optional(v.union([v.string(), v.array(v.string())])),
    tcp: v.optional(v.record(v.string(), v.union([v.string(), v.number(), v.boolean()]))),
  })
  const link = v.strictObject({
    from: v.string(),
    to: v.string(),
    mtu: v.optional(v.number()),
    back: v.optional(v.strictObject(way)),
    ...way,
  })
  return v.strictObject({
    hosts: v.record(
      v.string(),
      v.pipe(
        v.nullable(host),
        v.transform((plan) => plan ?? {}),
      ),
    ),
    routers: v.optional(v.array(v.string())),
    links: v.array(link),
  })
}

function placeOf(counter: LineCounter, offset: number): string {
  const { line, col } = counter.linePos(offset)
  return `${line}:${col}`
}

/** Where a value stands, or the nearest thing around it. */
function positionOf(document: Document, counter: LineCounter, keys: readonly unknown[]): string {
  for (let depth = keys.length; depth >= 0; depth--) {
    const node = depth === 0 ? document.contents : document.getIn(keys.slice(0, depth), true)
    const range = (node as { range?: readonly number[] | null } | null | undefined)?.range
    if (range !== undefined && range !== null) return placeOf(counter, range[0])
  }
  return '1:1'
}
