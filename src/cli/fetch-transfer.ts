// One transfer: a URL, its redirects, the body into its place, and the record of all that for -w.
// Owns: the course of a transfer and its time limit. Does not own: options (fetch-options.ts), connections (fetch-connect.ts), where
// bodies go (fetch-output.ts), what failures are called (fetch-errors.ts).

import { type Micros, SECOND } from '../base/time.ts'
import { prepareRequest } from '../http/client-message.ts'
import type { ClientResponse, ExchangeHooks, FetchOptions, HttpClient } from '../http/index.ts'
import type { Connector, ConnectWatch } from './fetch-connect.ts'
import { CURL, curlError, transferFailure } from './fetch-errors.ts'
import { type FetchSettings, type RequestBody, requestHeaders } from './fetch-options.ts'
import { type BodySink, FileSink, Progress, StdoutSink } from './fetch-output.ts'
import { type FetchUrl, parseFetchUrl, remoteName } from './fetch-url.ts'
import { headText, type Narrator } from './fetch-verbose.ts'
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
  readonly connector: Connector
  readonly narrator: Narrator
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
  #sink: BodySink | null = null

  constructor(text: string, index: number, context: TransferContext) {
    this.#text = text
    this.#context = context
    this.#record = transferRecord(text, context.settings.method, index)
    this.#startUs = context.opened.scheduler.now()
  }

  async run(): Promise<TransferRecord> {
    const { settings, opened, narrator, stop } = this.#context
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
      await this.#follow()
    } catch (error) {
      const failure = transferFailure(this.#abort.signal.aborted ? this.#abort.signal.reason : error)
      record.exitCode = failure.exitCode
      record.errorMessage = failure.message
      record.mend = failure.mend
      narrator.failed(failure)
      await this.#sink?.abandon()
    } finally {
      limit?.cancel()
      stop.removeEventListener('abort', stopped)
      record.totalUs = scheduler.now() - this.#startUs
    }
    return record
  }

  #timedOut(): void {
    const afterMs = Math.round(((this.#context.settings.maxTime ?? 0) * SECOND) / 1000)
    const { sizeDownload } = this.#record
    const text = `Operation timed out after ${afterMs} milliseconds with ${sizeDownload} bytes received`
    this.#abort.abort(curlError(CURL.timeout, text))
  }

  async #follow(): Promise<void> {
    const { settings, narrator } = this.#context
    const record = this.#record
    const first = parseFetchUrl(this.#text)
    let hop: Hop = { target: first, method: settings.method, body: settings.body, trusted: true }
    for (;;) {
      const response = await this.#send(hop)
      const location = redirectTarget(response, hop.target.url)
      record.redirectUrl = location
      if (location === null || !settings.follow) {
        await this.#deliver(response, hop)
        return
      }
      if (record.redirects >= settings.maxRedirects) {
        throw curlError(CURL.tooManyRedirects, `Maximum (${settings.maxRedirects}) redirects followed`)
      }
      if (settings.include) await (await this.#openSink(hop)).write(Buffer.from(headText(response), 'latin1'))
      await response.discard()
      narrator.redirected(location)
      hop = this.#nextHop(hop, response.status, parseFetchUrl(location), first)
      record.redirectUrl = null
      record.redirects++
      record.redirectUs = this.#elapsed()
    }
  }

  /** RFC 9110 §15.4: 301, 302 and 303 turn a POST into a GET, as every client does; -X insists on its method. */
  #nextHop(hop: Hop, status: number, target: FetchUrl, first: FetchUrl): Hop {
    const { hasMethod } = this.#context.settings
    const becomesGet =
      status === 303 ? hop.method !== 'HEAD' : (status === 301 || status === 302) && hop.method === 'POST'
    const body = becomesGet ? null : hop.body
    const method = becomesGet && !hasMethod ? 'GET' : hop.method
    // A password for one server is not told to another.
    const trusted = target.url.host === first.url.host
    const authorization = target.authorization ?? (trusted ? first.authorization : null)
    return { target: { url: target.url, authorization }, method, body, trusted }
  }

  async #send(hop: Hop): Promise<ClientResponse> {
    const { client, connector, opened, narrator } = this.#context
    const { url } = hop.target
    const record = this.#record
    record.urlEffective = url.href
    record.method = hop.method
    const connectsBefore = record.connects
    connector.watch = this.#connectWatch(url)
    const options = this.#fetchOptions(hop)
    const { head } = prepareRequest({ ...options, target: url.pathname + url.search }, null)
    const hooks: ExchangeHooks = {
      onSent: (at) => {
        this.#noteConnection(url, record.connects > connectsBefore)
        record.preTransferUs = at - this.#startUs
        record.sizeRequest += narrator.sent(head)
      },
      onFirstByte: (at) => {
        record.startTransferUs = at - this.#startUs
      },
      onInformational: (response) => {
        record.sizeHeader += narrator.received(response)
      },
    }
    const response = await client.fetch(url, { ...options, hooks, signal: this.#abort.signal })
    record.status = response.status
    record.httpVersion = response.httpVersion
    record.contentType = response.headers.get('content-type')
    record.headers = response.headers.toJSON()
    record.sizeHeader += narrator.received(response)
    if (hop.body !== null && hop.body.bytes !== null) record.sizeUpload = hop.body.length
    if (record.startTransferUs === 0) record.startTransferUs = opened.scheduler.now() - this.#startUs
    return response
  }

  #connectWatch(url: URL): ConnectWatch {
    const { narrator } = this.#context
    const record = this.#record
    return {
      onLookup: (at) => {
        record.nameLookupUs = at - this.#startUs
      },
      onTry: (address, port) => narrator.trying(address, port),
      onTryFailed: (address, port, error) => narrator.tryFailed(address, port, error),
      onConnected: (facts, at) => {
        record.connects++
        record.connectUs = at - this.#startUs
        narrator.connected(url.hostname, facts)
      },
    }
  }

  #noteConnection(url: URL, isNew: boolean): void {
    const { connector, narrator } = this.#context
    const facts = connector.factsOf(url.hostname.replace(/^\[|\]$/g, ''), portOf(url))
    if (facts === null) return
    const { localAddress, localPort, remoteAddress, remotePort } = facts
    Object.assign(this.#record, { localAddress, localPort, remoteAddress, remotePort })
    if (!isNew) narrator.reusing(facts)
  }

  #fetchOptions(hop: Hop): FetchOptions {
    const { settings } = this.#context
    const { url, authorization } = hop.target
    const { body } = hop
    const lines = hop.trusted ? settings.headers : settings.headers.filter((line) => !isCredential(line))
    const asked = { ...settings, headers: lines, isForm: settings.isForm && body !== null }
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
    const { settings, narrator, progress, opened } = this.#context
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
        record.sizeDownload += chunk.length
        await sink.write(chunk)
        line?.update(record.sizeDownload, scheduler.now())
      }
    } finally {
      line?.clear()
    }
    await sink.end()
    narrator.finished(response)
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

/** Where a response sends us, as an absolute URL; null when it does not. */
function redirectTarget(response: ClientResponse, base: URL): string | null {
  const location = response.headers.get('location')
  if (location === null || ![301, 302, 303, 307, 308].includes(response.status)) return null
  try {
    return new URL(location, base).href
  } catch {
    return null
  }
}

/** Headers that are for the first server only. */
function isCredential(line: string): boolean {
  return /^(?:authorization|cookie)\s*[:;]/i.test(line)
}

function portOf(url: URL): number {
  return url.port === '' ? 80 : Number(url.port)
}
