// E4: the socket calls. A server and a client in the eleven calls of the textbooks, and which of them put packets on the wire.

import { type SocketCalls, socketCalls } from '../../net/calls.ts'
import { claimExact, claimTrue, figure } from '../claims.ts'
import { defineExperiment } from '../define.ts'
import { inMs } from '../measure.ts'
import { pairOf } from '../topology.ts'
import type { Claim } from '../types.ts'
import type { World } from '../world.ts'

const PORT = 80
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const bytesOf = (words: string): Uint8Array => new TextEncoder().encode(words)

/** A call as it was made. */
interface Made {
  readonly at: number
  readonly who: string
  readonly call: string
  readonly result: string
  /** What its host sent from when it was called until it came back, without bare acknowledgements. */
  readonly sent: string
}

/** Makes calls on a host and writes them down. */
class Transcript {
  readonly made: Made[] = []
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  /** One call; what the host sends at the same instant as it returns counts too. */
  async call<T>(who: string, name: string, make: () => T | Promise<T>): Promise<T> {
    const from = this.#world.now()
    const before = this.#world.record().packets.length
    let shown = 'ok'
    try {
      const result = await make()
      if (typeof result === 'number' || typeof result === 'string') shown = String(result)
      if (result instanceof Uint8Array) shown = result.length === 0 ? 'the end' : `'${text(result)}'`
      return result
    } catch (error) {
      shown = (error as { code?: string }).code ?? String(error)
      throw error
    } finally {
      await this.#world.sleep(0)
      const packets = this.#world.record().packets.slice(before)
      const own = packets.filter((p) => p.from === who && (p.textBytes > 0 || (p.flags & 0x07) !== 0))
      const sent = own.map(({ flags, textBytes }) => nameOf(flags, textBytes)).join(', ')
      this.made.push({ at: from, who, call: name, result: shown, sent })
    }
  }
}

function nameOf(flags: number, textBytes: number): string {
  const parts: string[] = []
  if ((flags & 0x02) !== 0) parts.push((flags & 0x10) !== 0 ? 'SYN-ACK' : 'SYN')
  if (textBytes > 0) parts.push(`${textBytes} bytes`)
  if ((flags & 0x01) !== 0) parts.push('FIN')
  if ((flags & 0x04) !== 0) parts.push('RST')
  return parts.join(' and ')
}

/** The server of the textbooks: one connection, one request, one answer. */
async function serve(log: Transcript, calls: SocketCalls): Promise<void> {
  const { socket, bind, listen, accept, read, write, close, setsockopt } = calls
  const on = <T>(name: string, make: () => T | Promise<T>): Promise<T> => log.call('server', name, make)
  const fd = await on('socket()', () => socket())
  await on('setsockopt(SO_REUSEADDR, 1)', () => setsockopt(fd, 'SO_REUSEADDR', 1))
  await on(`bind(${PORT})`, () => bind(fd, { port: PORT }))
  await on('listen(5)', () => listen(fd, 5))
  const peer = await on('accept()', () => accept(fd))
  const request = await on('read()', () => read(peer, 100))
  await on('write()', () => write(peer, bytesOf(`you said: ${text(request)}`)))
  await on('read()', () => read(peer, 100)) // the end of the client's half
  await on('write()', () => write(peer, bytesOf('good bye')))
  await on('close()', () => close(peer))
  await on('close()', () => close(fd))
}

async function ask(world: World, log: Transcript, calls: SocketCalls): Promise<string[]> {
  const { socket, connect, read, write, close, shutdown, getsockopt, setsockopt } = calls
  const on = <T>(name: string, make: () => T | Promise<T>): Promise<T> => log.call('client', name, make)
  const fd = await on('socket()', () => socket())
  await on('getsockopt(TCP_NODELAY)', () => getsockopt(fd, 'TCP_NODELAY'))
  await on('setsockopt(TCP_NODELAY, 1)', () => setsockopt(fd, 'TCP_NODELAY', 1))
  await on('getsockopt(TCP_NODELAY)', () => getsockopt(fd, 'TCP_NODELAY'))
  await on(`connect(${PORT})`, () => connect(fd, { address: world.addressOf('server'), port: PORT }))
  await on('write()', () => write(fd, bytesOf('hello')))
  const first = await on('read()', () => read(fd, 100))
  await on("shutdown('write')", () => shutdown(fd, 'write'))
  const second = await on('read()', () => read(fd, 100))
  const third = await on('read()', () => read(fd, 100))
  await on('close()', () => close(fd))
  return [first, second, third].map(text)
}

/** Calls that cannot be meant, and the errors that say so. */
async function errorsOf(world: World, calls: SocketCalls): Promise<string[]> {
  const { socket, bind, connect, listen, accept, read, write, close, shutdown } = calls
  const codeOf = async (make: () => unknown): Promise<string> => {
    try {
      await make()
      return 'ok'
    } catch (error) {
      return (error as { code?: string }).code ?? String(error)
    }
  }
  const fresh = socket()
  const bound = socket()
  bind(bound, { port: 90 })
  await listen(bound)
  const closed = socket()
  close(closed)
  const refused = { address: world.addressOf('server'), port: 99 }
  return [
    await codeOf(() => read(fresh, 1)),
    await codeOf(() => write(fresh, bytesOf('?'))),
    await codeOf(() => shutdown(fresh, 'both')),
    await codeOf(() => accept(fresh)),
    await codeOf(() => bind(bound, { port: 91 })),
    await codeOf(() => bind(fresh, { port: 90 })),
    await codeOf(() => close(closed)),
    await codeOf(() => connect(fresh, refused)),
  ]
}

/** Every error of errorsOf, as POSIX has it. */
const ERRORS = [
  ['read without a connection', 'ENOTCONN'],
  ['write without a connection', 'ENOTCONN'],
  ['shutdown without a connection', 'ENOTCONN'],
  ['accept without listen', 'EINVAL'],
  ['bind twice', 'EINVAL'],
  ['bind to a port that another socket has', 'EADDRINUSE'],
  ['close twice', 'EBADF'],
  ['connect to a port where nobody listens', 'ECONNREFUSED'],
] as const

const CALLS = [
  'socket',
  'bind',
  'connect',
  'listen',
  'accept',
  'read',
  'write',
  'close',
  'shutdown',
  'getsockopt',
  'setsockopt',
] as const

/** Which calls put packets on the wire. */
function sendingClaims(sentBy: (call: string) => string[]): Claim[] {
  const silent = ['socket', 'bind', 'listen', 'getsockopt', 'setsockopt', 'read'].flatMap(sentBy)
  return [
    claimExact(
      {
        text: 'socket, bind, listen, read, getsockopt and setsockopt send nothing.',
        because: 'they change what a host knows',
        unit: 'packets',
      },
      silent.length,
      0,
    ),
    claimExact(
      { text: 'write sends text, shutdown and close send FIN.', because: 'RFC 9293 §3.10.2, §3.10.4' },
      [...sentBy('write'), ...sentBy('shutdown'), ...sentBy('close')].join('; '),
      '5 bytes; 15 bytes; 8 bytes; FIN; FIN',
    ),
  ]
}

function claimsOf(made: readonly Made[], answers: readonly string[], errors: readonly string[], rtt: number): Claim[] {
  const sentBy = (call: string): string[] =>
    made.filter((m) => m.call.startsWith(call) && m.sent !== '').map((m) => m.sent)
  const tookMs = (who: string, call: string): number => {
    const i = made.findIndex((m) => m.who === who && m.call.startsWith(call))
    const next = made.slice(i + 1).find((m) => m.who === who)
    return inMs((next?.at ?? 0) - made[i].at)
  }
  return [
    claimExact(
      {
        text: 'All eleven are offered under their names.',
        because: 'POSIX.1, sys/socket.h and unistd.h',
        unit: 'calls',
      },
      CALLS.filter((name) => made.some(({ call }) => call.startsWith(`${name}(`))).length,
      CALLS.length,
    ),
    claimExact(
      {
        text: 'A conversation in them: an answer, what follows the half that was shut, the end.',
        because: 'RFC 9293 §3.6: after FIN the other half goes on',
      },
      answers.join(' | '),
      'you said: hello | good bye | ',
    ),
    claimExact(
      { text: 'connect sends SYN and comes back a round trip later.', because: 'RFC 9293 §3.5', unit: 'ms' },
      sentBy('connect').join() === 'SYN' ? tookMs('client', 'connect') : -1,
      inMs(rtt),
    ),
    ...sendingClaims(sentBy),
    claimExact(
      {
        text: 'Nagle’s algorithm is on until setsockopt turns it off.',
        because: 'RFC 9293 §3.7.4 [MUST-17]',
        unit: 'TCP_NODELAY',
      },
      made
        .filter(({ call }) => call.startsWith('getsockopt'))
        .map(({ result }) => result)
        .join(', then '),
      '0, then 1',
    ),
    claimTrue(
      {
        text: 'A call at the wrong time is told so, as POSIX has it.',
        because: 'the errors that each page of POSIX.1 lists',
        beside: ERRORS.map(([what], i) => figure(what, errors[i])),
      },
      errors.join() === ERRORS.map(([, code]) => code).join(),
    ),
  ]
}

/** E4: eleven calls. */
export const socketCallsExperiment = defineExperiment({
  id: 'socket-calls',
  fact: 'E4',
  title: 'The socket calls',
  question:
    'What do socket, bind, connect, listen, accept, read, write, close, shutdown and the options do, and what do they send?',
  read: ['RFC 9293 §3.9.1', 'POSIX.1-2017 sys/socket.h'],
  parameters: { rtt: { default: '40ms', unit: 'time', range: ['2ms', '1s'], doc: 'round trip' } },
  topology: ({ rtt }) => pairOf({ delay: rtt / 2 }),
  figures: ['ladder'],

  async run(context, { rtt }) {
    const world = context.world({ label: 'a conversation' })
    const log = new Transcript(world)
    const { answers, errors } = await world.run(async () => {
      const server = serve(log, socketCalls(world.host('server')))
      await world.sleep(1000)
      const answers = await ask(world, log, socketCalls(world.host('client')))
      await server
      await world.sleep(2 * rtt)
      return { answers, errors: await errorsOf(world, socketCalls(world.host('client'))) }
    })
    const made = [...log.made].sort((a, b) => a.at - b.at)
    return {
      claims: claimsOf(made, answers, errors, rtt),
      tables: [
        {
          title: 'Call by call',
          columns: ['ms', 'who', 'call', 'comes back with', 'sends'],
          rows: made.map(({ at, who, call, result, sent }) => [inMs(at), who, call, result, sent]),
        },
      ],
    }
  },
})
