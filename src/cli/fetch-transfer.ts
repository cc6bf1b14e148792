// One transfer: a URL, its redirects, the body into its place, and the record of all that for -w.
// Owns: the course of a transfer and its time limit. Does not own: options (fetch-options.ts), connections (fetch-connect.ts), where
// bodies go (fetch-output.ts), what failures are called (fetch-errors.ts).

import { type Micros, SECOND } from '../base/time.ts'
import { prepareRequest } from '../http/client-message.ts'
import {
  type ClientResponse,
  type ConnectionUse,
  decodeResponse,
  type ExchangeHooks,
  type FetchOptions,
  type HttpClient,
  isDirect,
  type RedirectStep,
  redirectStep,
} from '../http/index.ts'
import { contentDecoders } from '../net/index.ts'
import { type CliError, EXIT } from './errors.ts'
import { CURL, curlError, transferFailure } from './fetch-errors.ts'
import { type FetchSettings, type RequestBody, requestHeaders } from './fetch-options.ts'
import { type BodySink, FileSink, Progress, StdoutSink } from './fetch-output.ts'
import { isTransientFailure, isTransientStatus, retryDelayUs } from './fetch-retry.ts'
import { type FetchUrl, parseFetchUrl, remoteName } from './fetch-url.ts'
import { headText, Narrator } from './fetch-verbose.ts'
import type { OpenedHost } from './open-host.ts'
import { packageVersion } from './version.ts'
import { type TransferRecord, transferRecord } from './write-out.ts'

/** Bodies larger than this wait for 100 (Continue), as curl's do. */
const EXPECT_BYTES = 1 << 20

/** What all transfers of a command share. */
export interface TransferContext {
  readonly settings: FetchSettings
  readonly opened: OpenedHost
  readonly client: HttpClient
  /** Takes the lines of -v; null without. */
  readonly tell: ((line: string) => void) | null
  /** Aborts when the command ends. */
  readonly stop: AbortSignal
  /** Whether to draw a progress line. */
  readonly progress: boolean
}

/** One request of a transfer. */
interface Hop {
  readonly target: FetchUrl
  readonly method: string
  readonly body: RequestBody | null
  /** Whether the user's credentials may go there. */
  readonly trusted: boolean
}

/** Fetches the URL number `index` of the command line. Never rejects: failures stand in the record. */
export async function transfer(text: string, index: number, context: TransferContext): Promise<TransferRecord> {
  return new Transfer(text, index, context).run()
}

class Transfer {
  readonly #context: TransferContext
  readonly #record: TransferRecord
  readonly #startUs: Micros
  readonly #abort = new AbortController()
  readonly #text: string
  readonly #narrator: Narrator
  #sink: BodySink | null = null

  constructor(text: string, index: number, context: TransferContext) {
    this.#text = text
    this.#context = context
    this.#record = transferRecord(text, context.settings.method, index)
    this.#narrator = new Narrator(context.tell)
    this.#startUs = context.opened.scheduler.now()
  }

  async run(): Promise<TransferRecord> {
    const { settings, opened, stop } = this.#context
    const { scheduler } = opened
    const record = this.#record
    const limit =
      settings.maxTime === null
        ? null
        : scheduler.schedule(this.#startUs + settings.maxTime * SECOND, () => this.#timedOut())
    const stopped = (): void => this.#abort.abort(stop.reason)
    stop.addEventListener('abort', stopped, { once: true })
    if (stop.aborted) stopped()
    try {
      while (!(await this.#try()));
    } finally {
      limit?.cancel()
      stop.removeEventListener('abort', stopped)
      record.totalUs = scheduler.now() - this.#startUs
    }
    return record
  }

  /** One try. @returns whether it was the last one */
  async #try(): Promise<boolean> {
    const record = this.#record
    Object.assign(record, { exitCode: EXIT.ok, errorMessage: null, mend: null, redirects: 0, sizeDownload: 0 })
    try {
      await this.#follow()
      return true
    } catch (error) {
      const { aborted, reason } = this.#abort.signal
      if (error instanceof Transient && !aborted) return await this.#wait(error.delayUs)
      const failure = transferFailure(aborted ? reason : error)
      const delayUs = aborted
        ? -1
        : this.#retryUs(isTransientFailure(failure.exitCode, failure.message, this.#context.settings.retry), null)
      if (delayUs >= 0 && (await this.#isUnsaid())) return await this.#wait(delayUs)
      await this.#fail(failure)
      return true
    }
  }

  async #fail(failure: CliError): Promise<void> {
    const { exitCode, message: errorMessage, mend } = failure
    Object.assign(this.#record, { exitCode, errorMessage, mend })
    this.#narrator.failed(failure)
    await this.#sink?.abandon()
  }

  /** How long to wait before another try; -1 when there is none. */
  #retryUs(isWorthIt: boolean, retryAfter: string | null): Micros {
    const { retry } = this.#context.settings
    const { retries } = this.#record
    if (!isWorthIt || retries >= retry.retries) return -1
    const delayUs = retryDelayUs(retries + 1, retry, retryAfter, Date.now())
    const isLate = retry.maxTime !== null && this.#elapsed() + delayUs > retry.maxTime * SECOND
    return isLate ? -1 : delayUs
  }

  /** Whether nothing of the body has gone where it cannot be taken back; a file is begun anew. */
  async #isUnsaid(): Promise<boolean> {
    if (this.#sink instanceof StdoutSink) return this.#record.sizeDownload === 0
    await this.#sink?.abandon()
    this.#sink = null
    return true
  }

  async #wait(delayUs: Micros): Promise<false> {
    const { scheduler } = this.#context.opened
    const { signal } = this.#abort
    this.#record.retries++
    this.#narrator.retrying(delayUs / SECOND, this.#context.settings.retry.retries - this.#record.retries)
    await new Promise<void>((resolve) => {
      const task = scheduler.schedule(scheduler.now() + delayUs, resolve)
      signal.addEventListener(
        'abort',
        () => {
          task.cancel()
          resolve()
        },
        { once: true },
      )
    })
    return false
  }

  #timedOut(): void {
    const afterMs = Math.round(((this.#context.settings.maxTime ?? 0) * SECOND) / 1000)
    const { sizeDownload } = this.#record
    const text = `Operation timed out after ${afterMs} milliseconds with ${sizeDownload} bytes received`
    this.#abort.abort(curlError(CURL.timeout, text))
  }

  async #follow(): Promise<void> {
    const { settings } = this.#context
    const record = this.#record
    const first = parseFetchUrl(this.#text)
    const authorization = settings.authorization ?? first.authorization
    const start = { url: first.url, authorization }
    let hop: Hop = { target: start, method: settings.method, body: settings.body, trusted: true }
    for (;;) {
      const response = await this.#send(hop)
      const step = this.#stepOf(response, hop)
      record.redirectUrl = step?.url.href ?? null
      if (step === null || !settings.follow) {
        await this.#deliver(response, hop)
        return
      }
      if (record.redirects >= settings.maxRedirects) {
        throw curlError(CURL.tooManyRedirects, `Maximum (${settings.maxRedirects}) redirects followed`)
      }
      if (settings.include) await (await this.#openSink(hop)).write(Buffer.from(headText(response), 'latin1'))
      await response.discard()
      this.#narrator.redirected(step.url.href)
      hop = this.#nextHop(hop, step, start)
      record.redirectUrl = null
      record.redirects++
      record.redirectUs = this.#elapsed()
    }
  }

  #stepOf(response: ClientResponse, hop: Hop): RedirectStep | null {
    try {
      return redirectStep(response.status, response.headers, hop.target.url, hop.method)
    } catch (error) {
      if (this.#context.settings.follow) throw error
      return null // without -L it is an answer like any other
    }
  }

  /** As the redirect says (RFC 9110 §15.4); -X insists on its method. */
  #nextHop(hop: Hop, step: RedirectStep, first: FetchUrl): Hop {
    const { hasMethod } = this.#context.settings
    const target = parseFetchUrl(step.url.href)
    const method = hasMethod ? hop.method : step.method
    // A password for one server is not told to another, be it by another port or protocol.
    const trusted = target.url.host === first.url.host && target.url.protocol === first.url.protocol
    const authorization = target.authorization ?? (trusted ? first.authorization : null)
    return { target: { url: target.url, authorization }, method, body: step.keepsBody ? hop.body : null, trusted }
  }

  async #send(hop: Hop): Promise<ClientResponse> {
    const { client, opened, settings } = this.#context
    const { url } = hop.target
    const record = this.#record
    record.urlEffective = url.href
    record.method = hop.method
    const options = this.#fetchOptions(hop)
    const { head } = prepareRequest({ ...options, target: this.#targetOf(url) }, null)
    const hooks: ExchangeHooks = {
      onConnection: (use) => this.#noteConnection(url, use),
      onSent: (at) => {
        record.preTransferUs = at - this.#startUs
        record.sizeRequest += this.#narrator.sent(head)
      },
      onFirstByte: (at) => {
        record.startTransferUs = at - this.#startUs
      },
      onInformational: (response) => {
        record.sizeHeader += this.#narrator.received(response)
      },
    }
    const response = await client.fetch(url, { ...options, hooks, signal: this.#abort.signal })
    record.status = response.status
    record.httpVersion = response.httpVersion
    record.contentType = response.headers.get('content-type')
    record.headers = response.headers.toJSON()
    record.sizeHeader += this.#narrator.received(response)
    if (hop.body !== null && hop.body.bytes !== null) record.sizeUpload = hop.body.length
    if (record.startTransferUs === 0) record.startTransferUs = opened.scheduler.now() - this.#startUs
    const delayUs = this.#retryUs(isTransientStatus(response.status), response.headers.get('retry-after'))
    if (delayUs >= 0) {
      await response.discard()
      throw new Transient(delayUs)
    }
    response.body = this.#received(response.body)
    if (settings.compressed) decodeResponse(response, hop.method, contentDecoders)
    return response
  }

  async *#received(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      this.#record.sizeDownload += chunk.length
      yield chunk
    }
  }

  // What -v shows: a proxy is given the whole URL.
  #targetOf(url: URL): string {
    const { proxy } = this.#context.settings.network
    const path = url.pathname + url.search
    if (proxy === null || isDirect(url.hostname, portOf(url), proxy.noProxy ?? [])) return path
    this.#record.usedProxy = true
    return url.protocol === 'http:' ? `http://${url.host}${path}` : path
  }

  #noteConnection(url: URL, use: ConnectionUse): void {
    const record = this.#record
    const { localAddress, localPort, remoteAddress, remotePort } = use.dial
    Object.assign(record, { localAddress, localPort, remoteAddress, remotePort, connectionId: use.id - 1 })
    this.#narrator.using(url.hostname, use)
    if (use.reused) return
    record.connects++
    const since = (at: Micros): Micros => (at < 0 ? 0 : Math.max(0, at - this.#startUs))
    record.nameLookupUs = since(use.dial.lookupEndAt)
    record.connectUs = since(use.dial.connectEndAt)
    record.secureUs = since(use.dial.secureEndAt)
  }

  #fetchOptions(hop: Hop): FetchOptions {
    const { settings } = this.#context
    const { url, authorization } = hop.target
    const { body } = hop
    const lines = hop.trusted ? settings.headers : settings.headers.filter((line) => !isCredential(line))
    const asked = { ...settings, headers: lines, contentType: body === null ? null : settings.contentType }
    const headers = requestHeaders(asked, url.host, authorization, `tunstack/${packageVersion()}`)
    const options = { method: hop.method, headers, httpVersion: settings.httpVersion }
    if (body === null) return options
    if (body.bytes === null && body.length >= 0) headers.push(['Content-Length', String(body.length)])
    const expectContinue = body.length > EXPECT_BYTES || body.length < 0
    return { ...options, body: body.bytes ?? this.#counted(body), expectContinue }
  }

  async *#counted(body: RequestBody): AsyncGenerator<Uint8Array> {
    for await (const chunk of body.stream?.() ?? []) {
      this.#record.sizeUpload += chunk.length
      yield chunk
    }
  }

  async #deliver(response: ClientResponse, hop: Hop): Promise<void> {
    const { settings, progress, opened } = this.#context
    const record = this.#record
    if (settings.fail && response.status >= 400) {
      await response.discard()
      throw curlError(CURL.httpError, `The requested URL returned error: ${response.status}`)
    }
    const sink = await this.#openSink(hop)
    if (settings.include) await sink.write(Buffer.from(headText(response), 'latin1'))
    const length = response.headers.get('content-length')
    const { scheduler } = opened
    const line = progress
      ? new Progress((text) => process.stderr.write(text), scheduler.now(), length === null ? -1 : Number(length))
      : null
    try {
      for await (const chunk of response.body) {
        await sink.write(chunk)
        line?.update(record.sizeDownload, scheduler.now())
      }
    } finally {
      line?.clear()
    }
    await sink.end()
    this.#narrator.finished(response)
  }

  async #openSink(hop: Hop): Promise<BodySink> {
    if (this.#sink !== null) return this.#sink
    const { settings, stop } = this.#context
    const choice = settings.outputs.at(this.#record.index)
    let path: string | null = null
    if (choice?.kind === 'file') path = choice.path === '-' ? null : choice.path
    else if (choice?.kind === 'remote-name') path = remoteName(hop.target.url)
    this.#record.fileName = path
    this.#sink = path === null ? new StdoutSink(stop) : await FileSink.open(path)
    return this.#sink
  }

  #elapsed(): Micros {
    return this.#context.opened.scheduler.now() - this.#startUs
  }
}

/** An answer that may be better the next time: try again. */
class Transient extends Error {
  readonly delayUs: Micros

  constructor(delayUs: Micros) {
    super('a transient answer')
    this.delayUs = delayUs
  }
}

/** Headers that are for the first server only. */
function isCredential(line: string): boolean {
  return /^(?:authorization|cookie)\s*[:;]/i.test(line)
}

function portOf(url: URL): number {
  return url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port)
}
