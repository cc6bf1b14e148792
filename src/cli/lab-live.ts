// `tunstack lab NAME --live`: an experiment with Linux's TCP at the other end, over a TUN device in a network namespace of its own.
// Owns: the world that such a run is given. Does not own: the namespace (namespace.ts), the experiments (src/lab).

import { connect, createServer, type Server, type Socket } from 'node:net'
import { SeededRandom } from '../base/random.ts'
import type { LiveContext, LiveRequest, LiveWorld } from '../lab/live.ts'
import { readParameters } from '../lab/parameters.ts'
import type { Experiment, Findings } from '../lab/types.ts'
import { capture } from '../link/capture.ts'
import { impair } from '../link/impair.ts'
import { createHost, realTime } from '../net/index.ts'
import { Recorder } from '../trace/recorder.ts'

const OURS = '10.77.0.2'
const LINUX = '10.77.0.1'

/**
 * Runs an experiment live; the process must be in a namespace of its own.
 * @throws {TypeError} for one that cannot, or parameters that cannot be read
 */
export async function runLive(experiment: Experiment, given: Readonly<Record<string, string>>): Promise<Findings> {
  const { live, parameters, id } = experiment
  if (live === undefined) throw new TypeError(`'${id}' does not run live`)
  const { bringUpLoopback } = await import('../link/tun-interface.ts')
  bringUpLoopback()
  const context: LiveContext = { world: inWorld }
  return live(context, readParameters(parameters, given) as never)
}

async function inWorld<T>({ tcp, delayUs }: LiveRequest, act: (world: LiveWorld) => Promise<T>): Promise<T> {
  const { openTun } = await import('../link/tun.ts')
  const scheduler = realTime({ ref: true })
  const recorder = new Recorder({ segments: 20_000 })
  // Without offload: every segment is a packet of its own.
  const tun = openTun({ name: 'tunstack0', addresses: [`${LINUX}/24`], offload: false })
  const link = impair(tun, { scheduler, random: new SeededRandom(1), out: { delayUs }, in: { delayUs } })
  const device = capture(link, { scheduler, onPacket: recorder.observe })
  const host = createHost({ device, address: `${OURS}/24`, scheduler, ...(tcp === undefined ? {} : { tcp }) })
  recorder.watch(host.stack)
  host.ref()
  const servers: Server[] = []
  const sockets = new Set<Socket>()
  try {
    return await act({
      host,
      linux: LINUX,
      now: () => scheduler.now(),
      sleep: (us) => new Promise<void>((resolve) => scheduler.schedule(scheduler.now() + us, resolve)),
      listenOnLinux: (port, onSocket) =>
        new Promise((resolve, reject) => {
          const server = createServer({ allowHalfOpen: true }, (socket) => {
            sockets.add(socket)
            onSocket(socket)
          })
          servers.push(server)
          server.once('error', reject).listen(port, LINUX, resolve)
        }),
      connectFromLinux: (port) =>
        new Promise((resolve, reject) => {
          const socket = connect({ host: OURS, port, allowHalfOpen: true }, () => resolve(socket))
          sockets.add(socket)
          socket.once('error', reject)
        }),
      records: () => recorder.traces.flatMap(({ records }) => records).sort((a, b) => a.at - b.at),
    })
  } finally {
    for (const server of servers) server.close()
    for (const socket of sockets) socket.destroy()
    await host.close({ graceMs: 0 })
  }
}
