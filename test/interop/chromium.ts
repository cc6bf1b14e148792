// A headless Chromium that a test drives through the DevTools protocol, over two pipes: no port, no library.
// Owns: starting it, asking it, ending it, what it complained about and what it asked for. Does not own: the page.

import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { folder } from './helpers.ts'

const FLAGS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--no-proxy-server',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-extensions',
  '--remote-debugging-pipe',
]

type Message = {
  id?: number
  method?: string
  params?: Record<string, never>
  result?: unknown
  error?: unknown
  sessionId?: string
}

/** One page of a browser. */
export class Chromium {
  /** Errors, warnings and exceptions that the page's console had. */
  readonly complaints: string[] = []
  /** URLs that were asked for. */
  readonly requests: string[] = []
  readonly #child: ChildProcess
  readonly #out: Writable
  readonly #profile = folder()
  readonly #waiting = new Map<number, (message: Message) => void>()
  #session = ''
  #next = 1

  private constructor() {
    this.#child = spawn('chromium', [...FLAGS, `--user-data-dir=${this.#profile.path}`, 'about:blank'], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    })
    this.#out = this.#child.stdio[3] as Writable
    this.#out.on('error', () => undefined)
    let text = ''
    const input = this.#child.stdio[4] as Readable
    input.setEncoding('utf8').on('data', (part: string) => {
      text += part
      const messages = text.split('\0')
      text = messages.pop() ?? ''
      for (const message of messages) this.#take(JSON.parse(message) as Message)
    })
  }

  /** Starts the browser with one empty page. */
  static async start(): Promise<Chromium> {
    const browser = new Chromium()
    const { targetId } = await browser.send<{ targetId: string }>('Target.createTarget', { url: 'about:blank' })
    const { sessionId } = await browser.send<{ sessionId: string }>('Target.attachToTarget', {
      targetId,
      flatten: true,
    })
    browser.#session = sessionId
    for (const domain of ['Runtime', 'Page', 'Network', 'Log']) await browser.send(`${domain}.enable`)
    return browser
  }

  /** Calls the protocol. */
  async send<T = unknown>(method: string, params: object = {}): Promise<T> {
    const id = this.#next++
    const answer = new Promise<Message>((resolve) => this.#waiting.set(id, resolve))
    const session = this.#session === '' ? {} : { sessionId: this.#session }
    this.#out.write(`${JSON.stringify({ id, method, params, ...session })}\0`)
    const { result, error } = await answer
    if (error !== undefined) throw new Error(`${method}: ${JSON.stringify(error)}`)
    return result as T
  }

  /** The value of an expression in the page. */
  async evaluate<T>(expression: string): Promise<T> {
    type Evaluated = { result: { value: T }; exceptionDetails?: { exception?: { description?: string } } }
    const { result, exceptionDetails } = await this.send<Evaluated>('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    })
    if (exceptionDetails !== undefined) throw new Error(exceptionDetails.exception?.description ?? expression)
    return result.value
  }

  /** Waits until an expression in the page is true. */
  async until(expression: string, limitMs = 15_000): Promise<void> {
    const deadline = Date.now() + limitMs
    while (!(await this.evaluate<boolean>(`Boolean(${expression})`))) {
      if (Date.now() > deadline) throw new Error(`not in ${limitMs} ms: ${expression}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  /** Sets the size of the page and the colours that its reader prefers. */
  async look(width: number, height: number, scheme: 'light' | 'dark'): Promise<void> {
    await this.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false })
    await this.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] })
  }

  /** A picture of the page as PNG; `whole` for all of it. */
  async picture(whole = false): Promise<Buffer> {
    const { data } = await this.send<{ data: string }>('Page.captureScreenshot', { captureBeyondViewport: whole })
    return Buffer.from(data, 'base64')
  }

  /** How many pixels of a canvas have about the colour of a CSS variable. */
  pixels(canvas: string, colour: string): Promise<number> {
    return this.evaluate(`(() => {
      const canvas = document.getElementById('${canvas}')
      const hex = getComputedStyle(document.documentElement).getPropertyValue('${colour}').trim()
      const want = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16))
      const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true })
      copy.drawImage(canvas, 0, 0)
      const { data } = copy.getImageData(0, 0, canvas.width, canvas.height)
      let count = 0
      for (let i = 0; i < data.length; i += 4)
        if (data[i + 3] > 128 && want.every((value, j) => Math.abs(value - data[i + j]) < 24)) count++
      return count
    })()`)
  }

  /** Gives the field of an id another value, as its user would. */
  turn(id: string, value: string): Promise<void> {
    return this.evaluate(`(() => {
      const field = document.getElementById('${id}')
      field.value = '${value}'
      for (const type of ['input', 'change']) field.dispatchEvent(new Event(type, { bubbles: true }))
    })()`)
  }

  /** Ends the browser. */
  async close(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#child.kill('SIGKILL')
    await gone
    try {
      this.#profile.remove()
    } catch {
      // A process of the browser is not quite gone yet.
    }
  }

  #take({ id, method, params = {}, ...rest }: Message): void {
    if (id !== undefined) {
      this.#waiting.get(id)?.({ id, ...rest })
      this.#waiting.delete(id)
    } else if (method === 'Runtime.exceptionThrown') this.complaints.push(JSON.stringify(params).slice(0, 500))
    else if (method === 'Log.entryAdded') this.complaints.push(JSON.stringify(params).slice(0, 500))
    else if (method === 'Runtime.consoleAPICalled') this.complaints.push(JSON.stringify(params).slice(0, 500))
    else if (method === 'Network.requestWillBeSent')
      this.requests.push((params as unknown as { request: { url: string } }).request.url)
  }
}
