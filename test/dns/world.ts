// A resolver and DNS servers in virtual time, over a link that loses, repeats and delays datagrams, from a seed.

import { SeededRandom } from '../../src/base/random.ts'
import { MILLISECOND, type Micros, SECOND } from '../../src/base/time.ts'
import {
  createMessage,
  DnsServer,
  type DnsServerOptions,
  type Exchanger,
  FrameReader,
  frameMessage,
  HostsTable,
  parseMessage,
  Resolver,
  type ResolverConfig,
  type ServerAddress,
} from '../../src/dns/index.ts'
import { IpAddress } from '../../src/ip/address.ts'

/** What stands at an address: answers a query with octets, now or later; or nothing. */
export type Service = (query: Uint8Array, via: 'udp' | 'tcp', reply: (bytes: Uint8Array) => void) => void

export interface WorldOptions {
  seed?: number
  loss?: number
  duplicate?: number
  delayUs?: Micros
  jitterUs?: Micros
  config?: Partial<ResolverConfig>
  hosts?: string
  /** How many servers the resolver has; 10.0.0.1 is the first. */
  servers?: number
}

/** Time that jumps from one thing to the next. */
export class World {
  now: Micros = SECOND
  readonly resolver: Resolver
  readonly services = new Map<string, Service>()
  /** What went to servers: `0.000 udp 10.0.0.1 www.example.com`. */
  readonly log: string[] = []
  /** Addresses whose TCP port is closed. */
  readonly refusing = new Set<string>()
  readonly random: SeededRandom
  readonly #options: WorldOptions
  readonly #queue: { at: Micros; order: number; run: () => void }[] = []
  readonly #open = new Set<string>()
  readonly #exchangers: Exchanger[] = []
  #order = 0

  constructor(options: WorldOptions = {}) {
    this.#options = options
    this.random = new SeededRandom(options.seed ?? 1)
    const servers: ServerAddress[] = Array.from({ length: options.servers ?? 1 }, (_, i) => serverAt(i + 1))
    this.resolver = new Resolver({
      config: { servers, ...options.config },
      hosts: new HostsTable(options.hosts),
      random: this.random.fork(),
    })
    this.add(this.resolver.exchanger)
  }

  /** A resolver's or forwarder's questions go over this link too. */
  add(exchanger: Exchanger): void {
    this.#exchangers.push(exchanger)
  }

  /** Puts a DNS server at 10.0.0.`number`. */
  serve(number: number, options: Omit<DnsServerOptions, 'random'>): DnsServer {
    const server = new DnsServer({ ...options, random: this.random.fork() })
    this.services.set(serverAt(number).address.toString(), (query, via, reply) =>
      server.handleQuery(query, via, this.now, reply),
    )
    this.add(server.exchanger)
    return server
  }

  at(delayUs: Micros, run: () => void): void {
    this.#queue.push({ at: this.now + delayUs, order: this.#order++, run })
  }

  /** Runs until nothing is left to do, or `untilUs` from now. */
  run(forUs: Micros = Number.POSITIVE_INFINITY): void {
    const until = this.now + forUs
    for (let steps = 0; ; steps++) {
      if (steps > 200_000) throw new Error('the world does not come to rest')
      for (const exchanger of this.#exchangers) this.#flush(exchanger)
      this.#queue.sort((a, b) => a.at - b.at || a.order - b.order)
      const deadline = Math.min(...this.#exchangers.map((e) => e.nextDeadline()))
      const next = Math.min(deadline, this.#queue[0]?.at ?? Number.POSITIVE_INFINITY)
      if (next === Number.POSITIVE_INFINITY) return
      if (next > until) {
        this.now = until
        return
      }
      this.now = Math.max(this.now, next)
      if (this.#queue[0]?.at <= this.now) this.#queue.shift()?.run()
      else for (const exchanger of this.#exchangers) exchanger.handleTimeout(this.now)
    }
  }

  #delay(): Micros {
    const { delayUs = 10 * MILLISECOND, jitterUs = 0 } = this.#options
    return delayUs + Math.floor(this.random.fraction() * jitterUs)
  }

  /** Over the link: not at all, once, or twice. */
  #pass(run: () => void): void {
    if (this.random.fraction() < (this.#options.loss ?? 0)) return
    this.at(this.#delay(), run)
    if (this.random.fraction() < (this.#options.duplicate ?? 0)) this.at(this.#delay(), run)
  }

  #flush(exchanger: Exchanger): void {
    const who = this.#exchangers.indexOf(exchanger)
    for (let event = exchanger.pollEvent(); event !== null; event = exchanger.pollEvent()) {
      const { id } = event
      const key = `${who}/${id}`
      if (event.kind === 'close') {
        this.#open.delete(key)
        continue
      }
      this.#open.add(key)
      const to = event.to.address.toString()
      const { address, port } = event.to
      const service = this.services.get(to)
      const isStream = event.kind === 'stream'
      const name = nameIn(isStream ? event.bytes.subarray(2) : event.bytes)
      this.log.push(`${((this.now - SECOND) / SECOND).toFixed(3)} ${isStream ? 'tcp' : 'udp'} ${to} ${name}`)
      if (!isStream) {
        this.#pass(() =>
          service?.(event.bytes, 'udp', (reply) =>
            this.#pass(() => exchanger.handleDatagram(id, address, port, reply, this.now)),
          ),
        )
      } else if (this.refusing.has(to)) {
        this.at(this.#delay(), () => exchanger.handleFailure(id, this.now))
      } else {
        const [query] = new FrameReader().push(event.bytes)
        this.at(this.#delay(), () =>
          service?.(query, 'tcp', (reply) => {
            const framed = frameMessage(reply)
            const half = framed.length >> 1
            this.at(this.#delay(), () => {
              exchanger.handleStream(id, framed.subarray(0, half), this.now)
              exchanger.handleStream(id, framed.subarray(half), this.now)
            })
          }),
        )
      }
    }
  }

  /** Sockets and streams that were opened and not closed. */
  get openCount(): number {
    return this.#open.size
  }
}

/** The server number n: 10.0.0.n, port 53. */
export function serverAt(number: number): ServerAddress {
  return { address: IpAddress.parse(`10.0.0.${number}`), port: 53 }
}

function nameIn(bytes: Uint8Array): string {
  const message = createMessage()
  parseMessage(bytes, message)
  const [question] = message.questions
  return `${question?.name} ${question?.type}${message.edns === null ? ' plain' : ''}`
}

/** A service that reads the query and answers with a message made of it. */
export function answering(
  make: (query: ReturnType<typeof createMessage>) => Partial<ReturnType<typeof createMessage>>,
  write: (message: ReturnType<typeof createMessage>) => Uint8Array,
): Service {
  return (bytes, _via, reply) => {
    const query = createMessage()
    parseMessage(bytes, query)
    const { id, questions, recursionDesired } = query
    reply(
      write(
        createMessage({ id, questions, recursionDesired, isResponse: true, recursionAvailable: true, ...make(query) }),
      ),
    )
  }
}
