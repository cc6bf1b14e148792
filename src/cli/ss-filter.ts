// Which sockets ss shows: by protocol, state, ports and addresses.
// Owns: reading the words, the choice. Does not own: the lines (ss-format.ts).
// Of ss's expressions these are known, joined by `and` or just put behind one another: `state S`, `exclude S`,
// `sport|dport [=|eq|!=|ne] :N`, `src|dst ADDRESS[/LENGTH][:PORT]`.

import { type IpAddress, parseAddress, parseCidr } from '../ip/address.ts'
import type { SocketRecord } from './control-answers.ts'
import { usageError } from './errors.ts'

/** Whether a socket is shown. */
export type SocketFilter = (socket: SocketRecord) => boolean

/** What the options of ss choose. */
export interface SocketChoice {
  readonly tcp: boolean
  readonly udp: boolean
  readonly listening: boolean
  readonly all: boolean
  /** 0: both. */
  readonly family: 0 | 4 | 6
}

/** By ss's names of states, its names in what it prints. */
const STATES: Readonly<Record<string, string>> = {
  established: 'ESTAB',
  'syn-sent': 'SYN-SENT',
  'syn-recv': 'SYN-RECV',
  'fin-wait-1': 'FIN-WAIT-1',
  'fin-wait-2': 'FIN-WAIT-2',
  'time-wait': 'TIME-WAIT',
  closed: 'UNCONN',
  'close-wait': 'CLOSE-WAIT',
  'last-ack': 'LAST-ACK',
  listening: 'LISTEN',
  listen: 'LISTEN',
  closing: 'CLOSING',
}
const ALL_STATES = [...new Set(Object.values(STATES))]
const without = (...names: string[]): string[] => ALL_STATES.filter((name) => !names.includes(name))
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  all: ALL_STATES,
  connected: without('LISTEN', 'UNCONN'),
  synchronized: without('LISTEN', 'UNCONN', 'SYN-SENT'),
  bucket: ['SYN-RECV', 'TIME-WAIT'],
  big: without('SYN-RECV', 'TIME-WAIT'),
}

/** Reads options and words. @throws {CliError} for a word that is not known */
export function socketFilter(choice: SocketChoice, words: readonly string[]): SocketFilter {
  const tests: SocketFilter[] = []
  const named = new Set<string>()
  const excluded = new Set<string>()
  const rest = words
    .flatMap((word) => word.split(/\s+/))
    .filter((word) => word !== '' && word !== 'and' && word !== '&&')
  const take = (after: string): string => {
    const word = rest.shift()
    if (word === undefined) throw usageError(`ss: something is missing behind '${after}'`)
    return word
  }
  while (rest.length > 0) {
    const word = take('')
    if (word === 'state' || word === 'exclude') {
      for (const name of statesOf(take(word))) (word === 'state' ? named : excluded).add(name)
    } else if (word === 'sport' || word === 'dport') tests.push(portTest(word, take, rest))
    else if (word === 'src' || word === 'dst') tests.push(addressTest(word, take(word)))
    else throw usageError(`ss does not know '${word}'`, 'see tunstack ss --help; as: state established dport = :80')
  }
  const shown = shownStates(choice, named, excluded)
  return (socket) =>
    (choice.tcp === choice.udp || socket.protocol === (choice.tcp ? 'tcp' : 'udp')) &&
    (choice.family === 0 || familyOf(socket) === choice.family || familyOf(socket) === 0) &&
    shown.has(socket.state) &&
    tests.every((test) => test(socket))
}

function shownStates(choice: SocketChoice, named: ReadonlySet<string>, excluded: ReadonlySet<string>): Set<string> {
  const usual = choice.all
    ? ALL_STATES
    : choice.listening
      ? ['LISTEN', 'UNCONN']
      : without('LISTEN', 'UNCONN', 'TIME-WAIT', 'SYN-RECV')
  const from = named.size > 0 ? [...named] : excluded.size > 0 ? ALL_STATES : usual
  return new Set(from.filter((name) => !excluded.has(name)))
}

function statesOf(word: string): readonly string[] {
  const name = word.toLowerCase()
  const found = GROUPS[name] ?? (STATES[name] === undefined ? undefined : [STATES[name]])
  if (found === undefined)
    throw usageError(
      `ss: no state is called '${word}'`,
      `known: ${[...Object.keys(STATES), ...Object.keys(GROUPS)].join(', ')}`,
    )
  return found
}

function portTest(side: 'sport' | 'dport', take: (after: string) => string, rest: string[]): SocketFilter {
  let word = take(side)
  let isNot = false
  if (/^(=|==|eq|!=|ne|neq)$/.test(word)) {
    isNot = /^(!=|ne|neq)$/.test(word)
    word = take(side)
  }
  if (word === ':' && rest.length > 0) word += rest.shift()
  const port = Number(word.replace(/^:/, ''))
  if (!Number.isInteger(port) || port < 0 || port > 65535)
    throw usageError(`ss: '${word}' is no port`, 'as dport = :80')
  return (socket) => ((side === 'sport' ? socket.localPort : socket.remotePort) === port) !== isNot
}

function addressTest(side: 'src' | 'dst', word: string): SocketFilter {
  const match = /^(?:\[([^\]]*)\]|([^:]*|[^/]*:[^/]*:[^/]*)(\/[0-9]+)?)(?::([0-9]+))?$/.exec(word)
  const host = match?.[1] ?? `${match?.[2] ?? ''}${match?.[3] ?? ''}`
  const port = match?.[4] === undefined ? -1 : Number(match[4])
  const isAny = host === '' || host === '*'
  let network: { readonly address: IpAddress; readonly prefixLength: number } | null = null
  try {
    network = isAny ? null : parseCidr(host)
  } catch {
    throw usageError(`ss: '${word}' is no address`, 'as dst 10.77.0.1, dst 10.77.0.0/24:80 or dst [fd77::1]:80')
  }
  return (socket) => {
    const text = side === 'src' ? socket.local : socket.remote
    const own = text === null ? null : parseAddress(text)
    const fits = network === null || own?.inPrefix(network.address, network.prefixLength) === true
    return fits && (port < 0 || port === (side === 'src' ? socket.localPort : socket.remotePort))
  }
}

/** 0: of both families. */
function familyOf({ local }: SocketRecord): 0 | 4 | 6 {
  if (local === '*') return 0
  return local.includes(':') ? 6 : 4
}
