// The demonstration without a TUN device: two hosts of this stack on a cable in virtual time, or, to be looked at live, in real time. The
// same server and TCP, our own client.

import { writeFileSync } from 'node:fs'
import type http from 'node:http'
import { get } from 'node:http'
import type { Server } from 'node:net'
import { SeededRandom } from '../base/index.ts'
import { SECOND } from '../base/time.ts'
import { capture } from '../link/capture.ts'
import { impair } from '../link/impair.ts'
import { memoryPair } from '../link/pair.ts'
import { createHost, type Host, realTime } from '../net/index.ts'
import { Network } from '../sim/index.ts'
import { PcapngWriter } from '../trace/pcapng.ts'
import { Recorder } from '../trace/recorder.ts'
import { doorInspector } from './demo-inspect.ts'
import { demoSite } from './demo-page.ts'
import { serveDemo } from './demo-server.ts'
import type { DemoOptions, DemoResult, DemoScene, FetchedResource } from './demo-types.ts'
import type { Inspector } from './inspect.ts'

/** Runs the demonstration on a virtual network, because of `reason`. */
export async function fetchVirtually(options: DemoOptions, reason: string): Promise<DemoResult> {
  const network = new Network({ seed: options.seed })
  const { time } = network
  const [left, right] = network.cable(options.impairment)
  const recorder = new Recorder()
  const chunks: Uint8Array[] = []
  const pcap = new PcapngWriter((bytes) => chunks.push(bytes), { name: 'tunstack' })
  const device = capture(right, {
    scheduler: time,
    onPacket: (packet, direction, at) => {
      recorder.observe(packet, direction, at)
      pcap.packet(packet, direction, at)
    },
  })
  const server = createHost({ device, address: '10.77.0.2/24', scheduler: time, random: network.random() })
  recorder.watch(server.stack)
  const client = createHost({ device: left, address: '10.77.0.1/24', scheduler: time, random: network.random() })
  serveDemo(server)
  const resources = await time.runFor(fetchAndSettle(client))
  await time.runFor(Promise.all([server.close(), client.close()]))
  if (options.pcap !== undefined) writeFileSync(options.pcap, Buffer.concat(chunks))
  return {
    client: 'a second host of this stack',
    where: `a virtual network (${reason})`,
    resources,
    recorder,
    delayUs: options.impairment.delayUs ?? 0,
  }
}

/** The same network in real time, so that it can be looked at through `door`. */
export function openVirtualScene({ impairment, seed }: DemoOptions, door: Server): DemoScene {
  const scheduler = realTime({ ref: true })
  const [left, right] = memoryPair({ scheduler, names: ['client0', 'tunstack0'] })
  const link = impair(right, { scheduler, random: new SeededRandom(seed), out: impairment, in: impairment })
  let inspector: Inspector | null = null
  const device = capture(link, {
    scheduler,
    onPacket: (packet, direction, at) => inspector?.onPacket(packet, direction, at),
    isWanted: () => inspector?.isOn === true,
  })
  const server = createHost({ device, address: '10.77.0.2/24', scheduler })
  const client = createHost({ device: left, address: '10.77.0.1/24', scheduler })
  inspector = doorInspector(door, { host: server, device, link, impairment, scheduler })
  serveDemo(server, inspector)
  return {
    visitor: 'the second host',
    visit: () => fetchAll(client),
    dial: () => client.createConnection({ host: '10.77.0.2', port: 80 }),
    async close() {
      inspector?.close()
      await Promise.all([server.close(), client.close()])
    },
  }
}

/** Fetches it all, and lets the last segments pass before the cable goes. */
async function fetchAndSettle(client: Host): Promise<FetchedResource[]> {
  const resources = await fetchAll(client)
  const { scheduler } = client
  await new Promise<void>((resolve) => scheduler.schedule(scheduler.now() + SECOND, resolve))
  return resources
}

async function fetchAll(client: Host): Promise<FetchedResource[]> {
  const agent = client.agent({ keepAlive: true, maxSockets: 1 })
  const resources: FetchedResource[] = []
  for (const [path, { body }] of demoSite())
    resources.push(await fetchOne(client, agent, path, body, resources.length === 0))
  agent.destroy()
  return resources
}

async function fetchOne(
  client: Host,
  agent: http.Agent,
  path: string,
  expected: Uint8Array,
  isFirst: boolean,
): Promise<FetchedResource> {
  const { scheduler } = client
  const start = scheduler.now()
  let connectedAt = start
  let firstByteAt = start
  const body = await new Promise<Buffer>((resolve, reject) => {
    const request = get({ host: '10.77.0.2', port: 80, path, agent }, (response) => {
      firstByteAt = scheduler.now()
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('end', () => resolve(Buffer.concat(parts)))
      response.on('error', reject)
    })
    request.on('socket', (socket) => socket.once('connect', () => (connectedAt = scheduler.now())))
    request.on('error', reject)
  })
  return {
    path,
    status: 200,
    bytes: body.length,
    isRight: body.equals(expected),
    timeConnect: (connectedAt - start) / 1e6,
    timeStartTransfer: (firstByteAt - start) / 1e6,
    timeTotal: (scheduler.now() - start) / 1e6,
    newConnections: isFirst ? 1 : 0,
  }
}
