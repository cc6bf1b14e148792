// The control socket of a running instance: questions and answers as JSON, one a line.
//   {"call":"sockets"}            ->  {"ok":[...]}
//   {"call":"bread"}              ->  {"error":"unknown call 'bread'; known: counters, ..."}
// Owns: the socket, its bounds. Does not own: the answers (control-answers.ts), where it is (control-path.ts).

import { chmodSync, unlinkSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { isMainThread } from 'node:worker_threads'
import { controlFolder, controlPath, isLive, openControlFolder } from './control-path.ts'
import { messageOf } from './errors.ts'

/** Longest question. */
const MAX_LINE = 4096
/** Askers at a time. */
const MAX_ASKERS = 16
/** An asker that says nothing for so long is let go. */
const IDLE_MS = 10_000

/** What answers a call: something for JSON. What it throws is told to the asker. */
export type ControlCalls = Readonly<Record<string, () => unknown>>

/** An open control socket. */
export interface ControlSocket {
  readonly name: string
  readonly path: string
  close(): void
}

/**
 * Opens the control socket `name`, or `name-PID` when an instance of that name runs. It does not keep the program alive.
 * @throws {Error} when there can be none, as in a read-only system
 */
export async function openControlSocket(name: string, calls: ControlCalls): Promise<ControlSocket> {
  const folder = controlFolder()
  openControlFolder(folder)
  const own = (await isLive(controlPath(folder, name))) ? `${name}-${process.pid}` : name
  const path = controlPath(folder, own)
  const askers = new Set<Socket>()
  const server = createServer((socket) => {
    askers.add(socket)
    socket.once('close', () => askers.delete(socket))
    serve(socket, calls)
  })
  server.maxConnections = MAX_ASKERS
  await listen(server, path)
  server.unref()
  const close = (): void => {
    if (!server.listening) return
    server.close()
    for (const asker of askers) asker.destroy()
    try {
      unlinkSync(path)
    } catch {
      // Node has removed it.
    }
  }
  return { name: own, path, close }
}

/** The socket is the owner's alone from its first moment on. */
async function listen(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    // Threads cannot set it; there the folder, which is its owner's alone, has to do.
    const before = isMainThread ? process.umask(0o177) : 0
    try {
      server.listen(path, resolve)
    } finally {
      if (isMainThread) process.umask(before)
    }
  })
  server.on('error', () => undefined)
  chmodSync(path, 0o600)
}

function serve(socket: Socket, calls: ControlCalls): void {
  let text = ''
  socket.unref()
  socket.setEncoding('utf8')
  socket.setTimeout(IDLE_MS, () => socket.destroy())
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: string) => {
    text += chunk
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
      socket.write(`${JSON.stringify(answer(text.slice(0, end), calls))}\n`)
      text = text.slice(end + 1)
    }
    if (text.length > MAX_LINE) socket.destroy()
  })
}

/** The answer to one line. */
export function answer(line: string, calls: ControlCalls): { ok: unknown } | { error: string } {
  try {
    const { call } = JSON.parse(line) as { call?: unknown }
    const known = Object.keys(calls).sort().join(', ')
    if (typeof call !== 'string' || !Object.hasOwn(calls, call)) {
      return { error: `unknown call ${JSON.stringify(call)}; known: ${known}` }
    }
    return { ok: calls[call]() }
  } catch (error) {
    return { error: messageOf(error) }
  }
}
