// The demonstration without a TUN device: two hosts of this stack on a cable in virtual time. The same server and TCP, our own client.

import { writeFileSync } from 'node:fs'
import type http from 'node:http'
import { get } from 'node:http'
import { SECOND } from '../base/time.ts'
import { capture } from '../link/capture.ts'
import { createHost } from '../net/index.ts'
import { Network } from '../sim/index.ts'
import { PcapngWriter } from '../trace/pcapng.ts'
import { Recorder } from '../trace/recorder.ts'
import { demoSite } from './demo-page.ts'
import { serveDemo } from './demo-server.ts'
import type { DemoOptions, DemoResult, FetchedResource } from './demo-types.ts'

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
  const resources = await time.runFor(fetchAll(server, client))
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

type AnyHost = ReturnType<typeof createHost>

async function fetchAll(server: AnyHost, client: AnyHost): Promise<FetchedResource[]> {
  serveDemo(server)
  const agent = client.agent({ keepAlive: true, maxSockets: 1 })
  const resources: FetchedResource[] = []
  for (const [path, { body }] of demoSite())
    resources.push(await fetchOne(client, agent, path, body, resources.length === 0))
  agent.destroy()
  // Lets the last segments pass before the cable goes.
  await new Promise<void>((resolve) => server.scheduler.schedule(server.scheduler.now() + SECOND, resolve))
  return resources
}

async function fetchOne(
  client: AnyHost,
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
