// One side under test with its peers: carries packets between them as time passes, and notes what happened.
// Owns: the order of things, the calls that scenarios share. Does not own: the sides (Target), the peer (peer.ts), comparing (trace.ts).

import { get32 } from '../../src/base/bytes.ts'
import type { Outcome, Target, Value } from '../../src/packetdrill/target.ts'
import { Peer, type Policy } from './peer.ts'
import { type Bases, type Focus, packetText, type TraceEvent } from './trace.ts'

export const LOCAL = '192.168.0.1'
export const REMOTE = '192.0.2.1'
export const ENDS = { family: 4, local: LOCAL, prefixLength: 16, remote: REMOTE, mtu: 1500 } as const
/** Where the side under test listens, where it connects to, and the port of a peer that connects. */
export const PORT = 8080
export const PEER_PORT = 40000

/** Linux's numbers of options: level and name. */
export const OPTIONS = {
  SO_REUSEADDR: [1, 2],
  SO_SNDBUF: [1, 7],
  SO_RCVBUF: [1, 8],
  SO_KEEPALIVE: [1, 9],
  SO_OOBINLINE: [1, 10],
  SO_ERROR: [1, 4],
  TCP_NODELAY: [6, 1],
  TCP_MAXSEG: [6, 2],
  TCP_CORK: [6, 3],
  TCP_KEEPIDLE: [6, 4],
  TCP_KEEPINTVL: [6, 5],
  TCP_KEEPCNT: [6, 6],
  TCP_DEFER_ACCEPT: [6, 9],
  TCP_LINGER2: [6, 8],
  TCP_QUICKACK: [6, 12],
  TCP_USER_TIMEOUT: [6, 18],
  TCP_FASTOPEN: [6, 23],
  TCP_FASTOPEN_CONNECT: [6, 30],
  TCP_NOTSENT_LOWAT: [6, 25],
} as const

export const MSG = { OOB: 1, PEEK: 2, DONTWAIT: 0x40, NOSIGNAL: 0x4000, MORE: 0x8000, FASTOPEN: 0x20000000 } as const

/** Room for all that a scenario writes at once. */
const SEND_BUFFER = 150_000

/** What a scenario works with. */
export class Bench {
  readonly target: Target
  readonly trace: TraceEvent[] = []
  readonly peer: Peer
  /** What of packets is compared. */
  focus: Focus = {}
  readonly #peers: Peer[]
  readonly #bases = new Map<Peer, Bases>()
  #start: number

  constructor(target: Target, policy: Policy) {
    this.target = target
    this.peer = new Peer(REMOTE, PEER_PORT, LOCAL, PORT, policy)
    this.#peers = [this.peer]
    this.#start = target.now()
  }

  /** The time, in microseconds since the target was made. */
  get now(): number {
    return this.target.now()
  }

  /** Another peer, at another port. */
  addPeer(port: number, policy: Policy): Peer {
    const peer = new Peer(REMOTE, port, LOCAL, PORT, policy)
    this.#peers.push(peer)
    return peer
  }

  /** Everything so far was preparation: what is compared begins here. */
  begin(): void {
    this.trace.length = 0
    this.#start = this.now
  }

  /** The same, and the peer's numbers count from where the side under test is with them. */
  beginAnew(): void {
    this.begin()
    const bases = this.#bases.get(this.peer)
    if (bases !== undefined) bases.peer = this.peer.acknowledged - 1
  }

  // ---- time

  /** Lets time pass. */
  async wait(ms: number): Promise<void> {
    await this.#run(this.now + ms * 1000, () => false)
  }

  /** Lets time pass until something holds, at most so long. */
  async until(holds: () => boolean, ms = 3000): Promise<void> {
    await this.#run(this.now + ms * 1000, holds)
  }

  async #run(until: number, holds: () => boolean): Promise<void> {
    for (;;) {
      this.#carry()
      if (holds() || this.now >= until) return
      const next = this.#peers.reduce((least, peer) => Math.min(least, peer.nextDeadline()), until)
      await this.target.advance(next)
    }
  }

  #carry(): void {
    for (let isMoving = true; isMoving; ) {
      isMoving = false
      for (let sent = this.target.take(); sent !== null; sent = this.target.take()) {
        isMoving = true
        this.#sent(sent.bytes, sent.at)
      }
      for (const peer of this.#peers) {
        const bytes = peer.poll(this.now)
        if (bytes === null) continue
        isMoving = true
        this.#note('in', this.now, packetText(bytes, this.#basesOf(peer), false))
        this.target.deliver(bytes)
        break
      }
    }
  }

  /** A packet of the side under test: to the peer whose port it names; a client's first SYN goes to the first peer. */
  #sent(bytes: Uint8Array, at: number): void {
    const isTcp = bytes[9] === 6
    const port = isTcp ? (bytes[22] << 8) | bytes[23] : -1
    const peer = this.#peers.find((one) => one.port === port) ?? this.peer
    if (isTcp && (bytes[33] & 2) !== 0 && this.#peers.some((one) => one.port === port)) {
      this.#bases.set(peer, { own: get32(bytes, 24) >>> 0, peer: peer.iss })
    }
    this.#note('out', at, packetText(bytes, this.#basesOf(peer), true, this.focus))
    if (isTcp) peer.handle(bytes, at)
  }

  #basesOf(peer: Peer): Bases {
    return this.#bases.get(peer) ?? { own: -1, peer: peer.iss }
  }

  #note(kind: TraceEvent['kind'], at: number, text: string): void {
    this.trace.push({ kind, at: at - this.#start, text })
  }

  // ---- calls

  /** A call whose result is compared. */
  call(name: string, ...args: Value[]): Outcome {
    const outcome = this.quiet(name, ...args)
    const value = ['socket', 'accept'].includes(name) && outcome.value >= 0 ? 'a descriptor' : outcome.value
    this.#note('call', this.now, `${name} = ${value}${outcome.errno === '' ? '' : ` ${outcome.errno}`}`)
    this.#carry()
    return outcome
  }

  /** A call whose result is not. */
  quiet(name: string, ...args: Value[]): Outcome {
    const { outcome } = this.target.start(name, args)
    if (outcome === null) throw new Error(`${name} blocks; scenarios use non-blocking sockets`)
    return outcome
  }

  /** A non-blocking socket. */
  socket(): number {
    return this.quiet('socket', 2, 1 | 0o4000, 6).value
  }

  /** Sets an option. */
  set(fd: number, option: keyof typeof OPTIONS, value: Value = 1): void {
    const [level, name] = OPTIONS[option]
    const { errno } = this.quiet('setsockopt', fd, level, name, typeof value === 'number' ? [value] : value, 4)
    if (errno !== '') throw new Error(`${option}: ${errno}`)
  }

  /** Sets SO_LINGER. */
  linger(fd: number, seconds: number): void {
    this.quiet('setsockopt', fd, 1, 13, { l_onoff: 1, l_linger: seconds }, 8)
  }

  /** SO_ERROR, compared. */
  error(fd: number): void {
    const [value] = this.quiet('getsockopt', fd, 1, 4, [0], [4]).outputs[3] as number[]
    this.#note('call', this.now, `SO_ERROR = ${value}`)
  }

  /** What poll says of a descriptor, compared. */
  poll(fd: number): void {
    const [list] = this.quiet('poll', [{ fd, events: 0x2007, revents: 0 }], 1, 0).outputs
    const { revents } = (list as readonly { readonly revents: number }[])[0]
    this.#note('call', this.now, `revents = 0x${revents.toString(16)}`)
  }

  /** A listening socket. */
  listen(prepare: (fd: number) => void = () => {}): number {
    const fd = this.socket()
    this.set(fd, 'SO_REUSEADDR')
    prepare(fd)
    this.quiet('bind', fd, { sa_family: 2, sin_port: PORT, sin_addr: LOCAL }, 16)
    this.quiet('listen', fd, 8)
    return fd
  }

  /** Takes a connection from a listener, not compared, and makes it non-blocking. */
  accept(listener: number): number {
    const { value, errno } = this.quiet('accept', listener, 0, 0)
    if (errno !== '') throw new Error(`accept: ${errno}`)
    this.quiet('fcntl', value, 4, 2 | 0o4000)
    return value
  }

  /** Starts to connect to the peer. */
  connect(fd: number): Outcome {
    return this.call('connect', fd, { sa_family: 2, sin_port: PEER_PORT, sin_addr: REMOTE }, 16)
  }

  /** A connection that the side under test has opened; what is compared begins after it. */
  async client(prepare: (fd: number) => void = () => {}): Promise<number> {
    const fd = this.socket()
    this.set(fd, 'SO_SNDBUF', SEND_BUFFER) // Linux's own grows with what it has sent, from 16 KiB
    prepare(fd)
    this.connect(fd)
    await this.until(() => this.peer.isOpen)
    await this.wait(50)
    this.begin()
    return fd
  }

  /** A connection that the peer has opened; what is compared begins after it. */
  async server(prepare: (fd: number) => void = () => {}): Promise<number> {
    const listener = this.listen(prepare)
    this.peer.connect(this.now)
    await this.until(() => this.peer.isOpen || this.peer.irs >= 0)
    await this.wait(50)
    this.begin()
    return this.accept(listener)
  }

  /** Writes so many bytes. */
  write(fd: number, bytes: number, flags: number = MSG.NOSIGNAL): Outcome {
    return this.call('send', fd, null, bytes, flags | MSG.NOSIGNAL | MSG.DONTWAIT)
  }

  /** Reads up to so many bytes. */
  read(fd: number, most = 1 << 20): Outcome {
    return this.call('recv', fd, null, most, MSG.DONTWAIT)
  }

  close(fd: number): void {
    this.call('close', fd)
  }

  shutdown(fd: number, how = 1): void {
    this.call('shutdown', fd, how)
  }
}
