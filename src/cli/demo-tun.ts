// The demonstration on a real TUN device, inside a namespace of its own: Linux's curl, or without it Node's http over the kernel's sockets,
// fetches the page from our stack.

import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { connect, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SeededRandom } from '../base/index.ts'
import { capture } from '../link/capture.ts'
import { impair } from '../link/impair.ts'
import { bringUpLoopback, openTun } from '../link/index.ts'
import { createHost, type Host, realTime } from '../net/index.ts'
import { PcapngWriter } from '../trace/pcapng.ts'
import { Recorder } from '../trace/recorder.ts'
import { controlCalls } from './control-answers.ts'
import { openControlSocket } from './control-server.ts'
import { doorInspector } from './demo-inspect.ts'
import { demoSite } from './demo-page.ts'
import { serveDemo } from './demo-server.ts'
import type { DemoOptions, DemoResult, DemoScene, FetchedResource } from './demo-types.ts'
import type { Inspector } from './inspect.ts'
import { watchLifeline } from './namespace.ts'
import { printError } from './print.ts'

const OURS = '10.77.0.2'
const LINUX = '10.77.0.1/24'
const FETCH_LIMIT_S = 20
/** From here on it is told that the line loses much. */
const HEAVY_LOSS = 0.2

/** The demonstration on a TUN device. */
export interface TunScene extends DemoScene {
  /** The first visit, with everything that is shown of it. */
  fetchPage(): Promise<DemoResult>
}

/**
 * Puts the network up. The process must be in a namespace of its own.
 * @param door where the live page is asked for; null: there is none
 */
export async function openTunScene(options: DemoOptions, door: Server | null): Promise<TunScene> {
  watchLifeline(() => process.exit(129))
  bringUpLoopback()
  const scheduler = realTime()
  const recorder = new Recorder()
  const chunks: Uint8Array[] = []
  const pcap = new PcapngWriter((bytes) => chunks.push(bytes), {
    name: 'tunstack0',
    epochUs: Date.now() * 1000 - scheduler.now(),
  })
  // Without offload: every segment that TCP makes is a packet of its own, as the ladder shows it.
  const tun = openTun({ name: 'tunstack0', addresses: [LINUX], offload: false })
  const { impairment } = options
  const wire = impair(tun, { scheduler, random: new SeededRandom(options.seed), out: impairment, in: impairment })
  let isShown = true
  let inspector: Inspector | null = null
  const device = capture(wire, {
    scheduler,
    onPacket: (packet, direction, at) => {
      inspector?.onPacket(packet, direction, at)
      if (!isShown) return
      recorder.observe(packet, direction, at)
      if (options.pcap !== undefined) pcap.packet(packet, direction, at)
    },
    isWanted: () => isShown || inspector?.isOn === true,
  })
  const host = createHost({ device, address: `${OURS}/24`, scheduler })
  recorder.watch(host.stack)
  const control = await openControlSocket(tun.name, controlCalls(host, tun, 'demo')).catch(() => null)
  if (door !== null) inspector = doorInspector(door, { host, device, link: wire, impairment, scheduler })
  serveDemo(host, inspector)
  const hasCurl = spawnSync('curl', ['--version']).status === 0
  return {
    visitor: hasCurl ? 'curl' : "Node's http",
    async fetchPage() {
      try {
        const resources = hasCurl ? await fetchWithCurl() : await fetchWithNode()
        await untilClosed(host)
        return {
          client: hasCurl ? "Linux's own curl" : "Node's http over Linux's sockets (curl is not installed)",
          where: 'a TUN device in a network namespace of its own',
          resources,
          recorder,
          delayUs: impairment.delayUs ?? 0,
        }
      } finally {
        isShown = false
        if (options.pcap !== undefined) writeFileSync(options.pcap, Buffer.concat(chunks))
      }
    },
    visit: (signal) => (hasCurl ? fetchWithCurl(signal) : fetchWithNode(() => undefined)),
    dial: () => connect(80, OURS),
    async close() {
      inspector?.close()
      control?.close()
      await host.close()
    },
  }
}

/** Why the demonstration may be slow, or fail; null when there is no reason. */
export function lossWarning(lossRate: number): string | null {
  if (lossRate < HEAVY_LOSS) return null
  const share = `${Number((lossRate * 100).toFixed(2))}%`
  const outlook =
    lossRate === 1
      ? `nothing can arrive, and the client gives up after ${FETCH_LIMIT_S} s`
      : `TCP repeats and waits, twice as long each time; a resource that takes ${FETCH_LIMIT_S} s ends the run`
  return `tunstack: ${share} of the packets of each direction are lost: ${outlook}`
}

/** Lets the last segments of the connection pass before everything is taken down. */
async function untilClosed(host: Host): Promise<void> {
  for (let i = 0; i < 40 && [...host.stack.tcp.connections()].some(({ state }) => state !== 'TIME-WAIT'); i++) {
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const CURL_FORMAT = '%{http_code} %{time_connect} %{time_starttransfer} %{time_total} %{num_connects}\\n'

/** @param signal ends it, and says that nobody wants to know why it failed */
async function fetchWithCurl(signal?: AbortSignal): Promise<FetchedResource[]> {
  const folder = mkdtempSync(join(tmpdir(), 'tunstack-demo-'))
  try {
    const site = [...demoSite()]
    const files = site.map((_, i) => join(folder, String(i)))
    const urls = site.flatMap(([path], i) => ['-o', files[i], `http://${OURS}${path}`])
    const lines = await run(
      'curl',
      [
        '-sS',
        '--fail-early', // or each resource would wait in vain as long as the first
        '-q',
        '--noproxy',
        '*',
        '-m',
        String(FETCH_LIMIT_S),
        '-w',
        CURL_FORMAT,
        ...urls,
      ],
      signal,
    )
    // After --fail-early the rest was not tried.
    const tried = site.slice(0, lines.filter((line) => line !== '').length)
    return tried.map(([path, { body }], i) => {
      const [status, timeConnect, timeStartTransfer, timeTotal, newConnections] = (lines[i] ?? '')
        .split(' ')
        .map(Number)
      const got = read(files[i])
      const isRight = status === 200 && got.equals(body)
      return { path, status, bytes: got.length, isRight, timeConnect, timeStartTransfer, timeTotal, newConnections }
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function read(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch {
    return Buffer.alloc(0) // curl got nothing: the byte count says so
  }
}

function run(command: string, args: readonly string[], signal?: AbortSignal): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const stderr = signal === undefined ? 'inherit' : 'ignore'
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', stderr], signal })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
    child.on('error', reject)
    child.on('close', () => resolve(output.split('\n')))
  })
}

/** @param tell gets what went wrong */
async function fetchWithNode(tell = printError): Promise<FetchedResource[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const resources: FetchedResource[] = []
  for (const [path, { body }] of demoSite()) {
    const resource = await fetchOne(agent, path, body, resources.length === 0, tell)
    resources.push(resource)
    if (resource.status === 0) break
  }
  agent.destroy()
  return resources
}

async function fetchOne(
  agent: Agent,
  path: string,
  expected: Uint8Array,
  isFirst: boolean,
  tell: (text: string) => void,
): Promise<FetchedResource> {
  const start = performance.now()
  let connected = start
  let firstByte = start
  let status = 0
  const got = await new Promise<Buffer>((resolve) => {
    const fail = (error: Error): void => {
      tell(`tunstack: ${path}: ${error.message}`)
      status = 0
      resolve(Buffer.alloc(0))
    }
    const request = get({ host: OURS, path, agent, timeout: FETCH_LIMIT_S * 1000 }, (response) => {
      firstByte = performance.now()
      status = response.statusCode ?? 0
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('error', fail)
      response.on('end', () => resolve(Buffer.concat(parts)))
    })
    request.on('socket', (socket) => socket.once('connect', () => (connected = performance.now())))
    request.on('timeout', () => request.destroy(new Error('no answer')))
    request.on('error', fail)
  })
  return {
    path,
    status,
    bytes: got.length,
    isRight: status === 200 && got.equals(expected),
    timeConnect: (connected - start) / 1000,
    timeStartTransfer: (firstByte - start) / 1000,
    timeTotal: (performance.now() - start) / 1000,
    newConnections: isFirst ? 1 : 0,
  }
}
