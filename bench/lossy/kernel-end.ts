// The kernel's end of transfers: a process of its own in a network namespace, told by its parent over IPC what to open. It ends with its
// parent. Owns: the kernel's settings in its namespace (buffers, no memory of earlier connections), the sockets, the check
// that they are cubic's. The route makes them so (testbed.ts): a machine may not let its namespaces choose a default.
//
// Messages in: Order. Messages out: Answer, with the order's id.

import { execFile, execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import net from 'node:net'
import { type Received, receiveStream, sendStream } from './stream.ts'

/** What the parent wants. */
export type Order =
  | { readonly op: 'setup'; readonly id: number; readonly commands: readonly (readonly string[])[] }
  | {
      readonly op: 'receive'
      readonly id: number
      readonly port: number
      readonly seed: number
      readonly seconds: number
    }
  | { readonly op: 'send'; readonly id: number; readonly host: string; readonly port: number; readonly seed: number }
  | { readonly op: 'stop'; readonly id: number }

/** What the child says. */
export interface Answer {
  readonly id: number
  readonly event: 'ready' | 'received' | 'failed'
  readonly received?: Received
  readonly reason?: string
}

const SETTINGS: Readonly<Record<string, string>> = {
  tcp_rmem: '4096 131072 16777216',
  tcp_wmem: '4096 16384 16777216',
  tcp_no_metrics_save: '1',
}

const open = new Map<number, { close(): void }>()
const say = (answer: Answer): void => void process.send?.(answer)

function setUp(id: number, commands: readonly (readonly string[])[]): void {
  for (const [name, value] of Object.entries(SETTINGS)) writeFileSync(`/proc/sys/net/ipv4/${name}`, value)
  for (const [command, ...args] of commands) execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  say({ id, event: 'ready' })
}

function receive({ id, port, seed, seconds }: Extract<Order, { op: 'receive' }>): void {
  const server = net.createServer(async (socket) => {
    server.close()
    socket.on('error', () => undefined)
    open.set(id, { close: () => socket.resetAndDestroy() })
    say({ id, event: 'received', received: await receiveStream(socket, seed, seconds) })
  })
  server.on('error', (error) => say({ id, event: 'failed', reason: error.message }))
  server.listen(port, () => say({ id, event: 'ready' }))
  open.set(id, server)
}

function send({ id, host, port, seed }: Extract<Order, { op: 'send' }>): void {
  const socket = net.connect(port, host, () => {
    sendStream(socket, seed)
    execFile('ss', ['-tniH', 'dport', '=', `:${port}`], (error, output) => {
      const reason =
        error !== null ? `ss (iproute2) cannot be run: ${error.message}` : `its sockets are not cubic's: ${output}`
      if (!/\bcubic\b/.test(output) && open.has(id)) say({ id, event: 'failed', reason })
    })
  })
  socket.on('error', (error) => say({ id, event: 'failed', reason: error.message }))
  open.set(id, { close: () => socket.resetAndDestroy() })
}

function stop(id: number): void {
  open.get(id)?.close()
  open.delete(id)
}

process.on('message', (order: Order) => {
  try {
    if (order.op === 'setup') setUp(order.id, order.commands)
    else if (order.op === 'receive') receive(order)
    else if (order.op === 'send') send(order)
    else stop(order.id)
  } catch (error) {
    say({ id: order.id, event: 'failed', reason: error instanceof Error ? error.message : String(error) })
  }
})
process.on('disconnect', () => process.exit(0))
process.on('SIGINT', () => undefined) // Ctrl-C reaches the whole group: the parent decides
