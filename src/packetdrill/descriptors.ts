// The arguments of a call as the target takes them: its own file descriptors for the script's, and addresses where the script has `...`.
// Owns: the table of descriptors, what `...` stands for in socket, bind, connect and sendto. Does not own: calls (runner.ts).

import { CONSTANTS } from './constants.ts'
import type { RunSettings } from './settings.ts'
import type { Value } from './target.ts'

/** Calls whose first argument is no descriptor. */
const WITHOUT_DESCRIPTOR = new Set([
  'socket',
  'epoll_create',
  'epoll_create1',
  'poll',
  'ppoll',
  'pselect',
  'select',
  'open',
  'pipe',
  'pipe2',
  'eventfd',
  'usleep',
  'sleep',
])

/** Further arguments that are descriptors. */
const MORE_DESCRIPTORS: Readonly<Record<string, readonly number[]>> = {
  dup2: [1],
  epoll_ctl: [2],
  sendfile: [1],
  splice: [2],
}

const { AF_INET, AF_INET6, AF_UNSPEC } = CONSTANTS

/** A script's descriptors and what the target calls them. */
export class Descriptors {
  readonly #settings: RunSettings
  readonly #live = new Map<number, number>()

  constructor(settings: RunSettings) {
    this.#settings = settings
  }

  /** A call has returned a descriptor. */
  learn(script: number, live: number): void {
    this.#live.set(script, live)
  }

  /** The target's descriptor; the script's own number when it has opened none of that number. */
  toLive(script: number): number {
    return this.#live.get(script) ?? script
  }

  #toScript(live: number): number {
    for (const [script, one] of this.#live) if (one === live) return script
    return live
  }

  /** The arguments of a call for the target. */
  argsFor(name: string, args: readonly Value[]): Value[] {
    const out = this.#withAddresses(name, args)
    const indexes = WITHOUT_DESCRIPTOR.has(name) ? [] : [0, ...(MORE_DESCRIPTORS[name] ?? [])]
    for (const index of indexes) {
      const fd = out[index]
      if (typeof fd === 'number') out[index] = this.toLive(fd)
    }
    if (name === 'poll' || name === 'ppoll') out[0] = this.#withLiveFds(out[0])
    if (isSelect(name)) for (const i of [1, 2, 3]) out[i] = mapNumbers(out[i], (fd) => this.toLive(fd))
    return out
  }

  /** What a call has left in its arguments, with the script's own descriptors again. */
  outputsFor(name: string, args: readonly Value[], outputs: readonly Value[]): readonly Value[] {
    const [asked, got] = [args[0], outputs[0]]
    if (name.startsWith('pipe')) return args
    if (isSelect(name))
      return outputs.map((set, i) => (i >= 1 && i <= 3 ? mapNumbers(set, (fd) => this.#toScript(fd)) : set))
    if (name !== 'poll' && name !== 'ppoll') return outputs
    if (!Array.isArray(asked) || !Array.isArray(got)) return outputs
    const list = got.map((item: Value, i: number): Value => {
      const own: Value | undefined = asked[i]
      return isRecord(item) && isRecord(own) && 'fd' in own ? { ...item, fd: own.fd } : item
    })
    return [list, ...outputs.slice(1)]
  }

  #withLiveFds(value: Value): Value {
    if (!Array.isArray(value)) return value
    return value.map((item: Value) => {
      if (typeof item !== 'object' || item === null || Array.isArray(item)) return item
      const fields = item as Readonly<Record<string, Value>>
      return typeof fields.fd === 'number' ? { ...fields, fd: this.toLive(fields.fd) } : fields
    })
  }

  #withAddresses(name: string, args: readonly Value[]): Value[] {
    const out = [...args]
    const { socketFamily, bindPort, connectPort, ends } = this.#settings
    switch (name) {
      case 'socket':
        if (out[0] === null) out[0] = socketFamily === 4 ? AF_INET : AF_INET6
        if (out[2] === null) out[2] = 0
        break
      case 'bind':
        fillAddress(out, 1, this.#address(ends.local, bindPort))
        break
      case 'connect':
        fillAddress(out, 1, this.#address(ends.remote, connectPort))
        break
      case 'sendto':
        fillAddress(out, 4, this.#address(ends.remote, connectPort))
        break
      case 'sendmsg':
        out[1] = this.#messageWithAddress(out[1])
        break
    }
    return out
  }

  /** A sendmsg that opens a connection (MSG_FASTOPEN) has `...` for the address. */
  #messageWithAddress(message: Value): Value {
    if (typeof message !== 'object' || message === null || Array.isArray(message)) return message
    const fields = message as Readonly<Record<string, Value>>
    if (fields.msg_name !== null) return message
    return { ...fields, msg_name: this.#address(this.#settings.ends.remote, this.#settings.connectPort) }
  }

  #address(address: string, port: number): Value {
    const { socketFamily, ends } = this.#settings
    if (socketFamily === 4) return { sa_family: AF_INET, sin_port: port, sin_addr: address }
    const text = ends.family === 4 ? `::ffff:${address}` : address
    return { sa_family: AF_INET6, sin6_port: port, sin6_addr: text }
  }
}

const isSelect = (name: string): boolean => name === 'select' || name === 'pselect'

/** The numbers of a list, each replaced; anything else as it is. */
function mapNumbers(value: Value, map: (fd: number) => number): Value {
  if (!Array.isArray(value)) return value
  return value.map((one: Value) => (typeof one === 'number' ? map(one) : one))
}

function isRecord(value: Value | undefined): value is Readonly<Record<string, Value>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function fillAddress(args: Value[], index: number, address: Value): void {
  if (args.length <= index) return
  if (args[index] === null) args[index] = address
  const filled = args[index]
  if (args[index + 1] === null && typeof filled === 'object' && filled !== null)
    args[index + 1] = 'sin6_port' in filled ? 28 : 16
}

/** The port of a sockaddr; -1 when it is none, or AF_UNSPEC. */
export function portOf(value: Value | undefined): number {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return -1
  const fields = value as Readonly<Record<string, Value>>
  if (fields.sa_family === AF_UNSPEC) return -1
  const port = fields.sin_port ?? fields.sin6_port
  return typeof port === 'number' ? port : -1
}
