// What -v shows: `*` for events, `>` and `<` for the heads of messages, as curl does it, on stderr.
// Owns: the lines. Does not own: when they come (fetch-transfer.ts).

import type { ConnectionUse, HeaderList, HttpVersion } from '../http/index.ts'
import { type CliError, codeOf, messageOf } from './errors.ts'

interface AnyResponse {
  readonly status: number
  readonly headers: HeaderList
  readonly httpVersion?: HttpVersion
  readonly version?: HttpVersion
  readonly statusText?: string
  readonly reason?: string
}

interface SentHead {
  readonly method: string
  readonly target: string
  readonly version: HttpVersion
  readonly headers: HeaderList
}

/** The head of a response as it was received, with the empty line. */
export function headText(response: AnyResponse): string {
  const version = response.httpVersion ?? response.version ?? '1.1'
  const lines = [`HTTP/${version} ${response.status} ${response.statusText ?? response.reason ?? ''}`]
  for (const [name, value] of response.headers) lines.push(`${name}: ${value}`)
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** Tells what happens, when asked to. The sizes of heads are returned in any case. */
export class Narrator {
  readonly #write: ((line: string) => void) | null
  #use: ConnectionUse | null = null

  /** @param write takes each line; null: nothing is told */
  constructor(write: ((line: string) => void) | null) {
    this.#write = write
  }

  /** A connection is being opened. */
  trying(address: string, port: number): void {
    this.#write?.(`*   Trying ${address.includes(':') ? `[${address}]` : address}:${port}...`)
  }

  /** An address could not be connected to; the next one is tried. */
  tryFailed(address: string, port: number, error: unknown): void {
    this.#write?.(`* connect to ${address} port ${port} failed: ${codeOf(error) ?? messageOf(error)}`)
  }

  /** A request goes over a new connection, or over one that was there. */
  using(host: string, use: ConnectionUse): void {
    this.#use = use
    const { remoteAddress, remotePort } = use.dial
    const number = use.id - 1
    if (!use.reused) this.#write?.(`* Connected to ${host} (${remoteAddress}) port ${remotePort} (#${number})`)
    else this.#write?.(`* Re-using existing connection (#${number}) with ${remoteAddress}`)
    if (use.ahead > 0) this.#write?.(`* Pipelined behind ${use.ahead} ${use.ahead === 1 ? 'request' : 'requests'}`)
  }

  /** A transfer is to be tried again. */
  retrying(seconds: number, left: number): void {
    this.#write?.(`* Will retry in ${seconds} s, ${left} ${left === 1 ? 'retry' : 'retries'} left`)
  }

  /** A request has gone out. Returns the bytes of its head. */
  sent(head: SentHead): number {
    const lines = [`${head.method} ${head.target} HTTP/${head.version}`]
    for (const [name, value] of head.headers) lines.push(`${name}: ${value}`)
    return this.#head('>', `${lines.join('\r\n')}\r\n\r\n`)
  }

  /** The head of a response has come. Returns its bytes. */
  received(response: AnyResponse): number {
    return this.#head('<', headText(response))
  }

  /** Another URL is fetched in the place of this one. */
  redirected(location: string): void {
    this.#write?.(`* Issue another request to this URL: '${location}'`)
  }

  /** A response has come whole. */
  finished(response: AnyResponse): void {
    if (this.#use === null) return
    const number = this.#use.id - 1
    const { remoteAddress } = this.#use.dial
    const tokens = response.headers.tokens('connection')
    const isKept = response.httpVersion === '1.0' ? tokens.includes('keep-alive') : !tokens.includes('close')
    if (isKept) this.#write?.(`* Connection #${number} to host ${remoteAddress} left intact`)
    else this.#write?.(`* Closing connection ${number}`)
  }

  /** The transfer has failed. */
  failed(error: CliError): void {
    this.#write?.(`* ${error.message.replace(/^\([0-9]+\) /, '')}`)
    if (this.#use !== null) this.#write?.(`* Closing connection ${this.#use.id - 1}`)
  }

  #head(mark: string, text: string): number {
    // Control characters of a peer do not reach the terminal.
    if (this.#write !== null) {
      for (const line of text.slice(0, -2).split('\r\n')) {
        this.#write(`${mark} ${line.replace(/[^\t -~\u00a0-\u00ff]/g, '?')}`)
      }
    }
    return text.length
  }
}
