// Carries out what an exchanger of DNS asks for: UDP sockets, TCP connections, one timer.
// Owns: the sockets of questions under way. Does not own: which question, server or reply (src/dns/exchange.ts).

import type { Micros, ScheduledTask } from '../base/time.ts'
import type { ExchangeEvent, Exchanger } from '../dns/index.ts'
import { parseAddress } from '../ip/address.ts'
import type { DnsHost } from './dns-host.ts'

/** The sockets of one exchanger on a host. */
export class DnsSockets {
  readonly #host: DnsHost
  readonly #exchanger: Exchanger
  readonly #closers = new Map<number, () => void>()
  #timer: ScheduledTask | null = null
  #armedAt: Micros = Number.POSITIVE_INFINITY

  constructor(host: DnsHost, exchanger: Exchanger) {
    this.#host = host
    this.#exchanger = exchanger
  }

  /** Does what is to be done now, and sets the timer. To be called after every call of the exchanger. */
  settle(): void {
    for (let event = this.#exchanger.pollEvent(); event !== null; event = this.#exchanger.pollEvent()) {
      if (event.kind === 'datagram') this.#openSocket(event)
      else if (event.kind === 'stream') this.#openStream(event)
      else {
        this.#closers.get(event.id)?.()
        this.#closers.delete(event.id)
      }
    }
    this.#arm()
  }

  /** Closes all sockets: nothing under way is answered any more. */
  close(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#armedAt = Number.POSITIVE_INFINITY
    for (const close of this.#closers.values()) close()
    this.#closers.clear()
  }

  // Connected, so that "port unreachable" ends the wait at once; bound by the host to a port by chance (RFC 5452 §9.2).
  #openSocket({ id, to, bytes }: Extract<ExchangeEvent, { kind: 'datagram' }>): void {
    const socket = this.#host.createSocket(to.address.family === 4 ? 'udp4' : 'udp6')
    let isOpen = true
    this.#closers.set(id, () => {
      if (isOpen) socket.close()
      isOpen = false
    })
    const failed = (): void => this.#failed(id)
    socket.on('error', failed)
    socket.on('message', (data, from) => {
      const address = parseAddress(from.address)
      if (address === null) return
      this.#exchanger.handleDatagram(id, address, from.port, data, this.#host.scheduler.now())
      this.settle()
    })
    socket.connect(to.port, to.address.toString(), (error) => {
      if (error) failed()
      else if (isOpen)
        socket.send(bytes, (error) => {
          if (error !== null) failed()
        })
    })
  }

  #openStream({ id, to, bytes }: Extract<ExchangeEvent, { kind: 'stream' }>): void {
    const socket = this.#host.createConnection({ host: to.address.toString(), port: to.port, noDelay: true })
    this.#closers.set(id, () => socket.destroy())
    socket.on('error', () => undefined) // 'close' follows
    socket.on('close', () => this.#failed(id))
    socket.on('end', () => this.#failed(id))
    socket.on('data', (data) => {
      this.#exchanger.handleStream(id, data, this.#host.scheduler.now())
      this.settle()
    })
    socket.write(bytes)
  }

  #failed(id: number): void {
    if (!this.#closers.has(id)) return
    this.#exchanger.handleFailure(id, this.#host.scheduler.now())
    this.settle()
  }

  #arm(): void {
    const deadline = this.#exchanger.nextDeadline()
    if (deadline === this.#armedAt) return
    this.#timer?.cancel()
    this.#armedAt = deadline
    this.#timer =
      deadline === Number.POSITIVE_INFINITY
        ? null
        : this.#host.scheduler.schedule(deadline, () => {
            this.#armedAt = Number.POSITIVE_INFINITY
            this.#exchanger.handleTimeout(this.#host.scheduler.now())
            this.settle()
          })
  }
}
