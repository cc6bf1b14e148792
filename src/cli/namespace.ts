// A network namespace of our own for commands that must leave the machine's network alone: the command starts itself again inside one,
// as root directly, otherwise through an unprivileged user namespace. Nothing has to be cleaned up: the namespace and every interface in
// it go away with the last process in it.
// Owns: whether one can be had, starting the inner process, tying its life to ours, handing it a socket from outside.
// Does not own: what happens inside (demo.ts).

import { spawn, spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { type Server, Socket } from 'node:net'

/** Set in the environment of the inner process. */
const INSIDE = 'TUNSTACK_NAMESPACE'
/** The inner process reads this descriptor and ends when it closes: then the outer process is gone, however it ended. */
const LIFELINE_FD = 3

/** Whether this process was started inside a namespace of its own. */
export function isInsideNamespace(): boolean {
  return process.env[INSIDE] === '1'
}

/** How a namespace can be had, or why not. */
export type NamespaceWay =
  | { readonly ok: true; readonly flags: readonly string[] }
  | { readonly ok: false; readonly reason: string }

/** Finds out how to get a namespace in which a TUN device can be opened, by trying. */
export function findNamespaceWay(): NamespaceWay {
  if (process.platform !== 'linux') return { ok: false, reason: `TUN devices are Linux's; this is ${process.platform}` }
  if (!existsSync('/dev/net/tun'))
    return { ok: false, reason: 'there is no /dev/net/tun (modprobe tun, or give the container the device)' }
  if (!mayOpen('/dev/net/tun'))
    return { ok: false, reason: 'this user may not open /dev/net/tun (sudo chmod 666 /dev/net/tun, or run it as root)' }
  const isRoot = process.getuid?.() === 0
  const ways = isRoot ? [['--net'], ['--user', '--map-root-user', '--net']] : [['--user', '--map-root-user', '--net']]
  let reason = ''
  for (const flags of ways) {
    // The shell opens the device for reading and writing, as the stack will.
    const trial = spawnSync('unshare', [...flags, 'sh', '-c', ': <> /dev/net/tun'], { encoding: 'utf8', timeout: 5000 })
    if (trial.status === 0) return { ok: true, flags }
    reason =
      trial.error === undefined ? trial.stderr.trim().split('\n')[0] : `unshare (util-linux): ${trial.error.message}`
  }
  const mend = isRoot ? '' : ' (where users may make no namespaces: run it as root)'
  return { ok: false, reason: `a network namespace with a TUN device cannot be had here: ${reason}${mend}` }
}

function mayOpen(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK)
    return true
  } catch {
    return false
  }
}

/**
 * Starts this very command again inside a namespace and resolves with its exit code.
 * @param door a server that listens out here and whose connections are for the inner process (takeDoor); it is closed here
 */
export function runInNamespace(flags: readonly string[], door: Server | null = null): Promise<number> {
  const inner = [process.execPath, ...process.execArgv, ...process.argv.slice(1)]
  const child = spawn('unshare', [...flags, ...inner], {
    stdio: ['inherit', 'inherit', 'inherit', 'pipe', ...(door === null ? [] : (['ipc'] as const))],
    env: { ...process.env, [INSIDE]: '1' },
  })
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, pass)
  if (door !== null) child.send('door', door, () => door.close())
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 143)))
  })
}

/** In the inner process: calls `gone` when the outer one has ended. */
export function watchLifeline(gone: () => void): void {
  if (!isInsideNamespace()) return
  const lifeline = new Socket({ fd: LIFELINE_FD })
  lifeline.on('end', gone).on('error', gone).resume()
  lifeline.unref()
}

/** In the inner process: the server that runInNamespace was given outside; whoever connects to it from there comes in here. */
export function takeDoor(): Promise<Server> {
  return new Promise((resolve) => {
    process.once('message', (_, door) => {
      setImmediate(() => process.disconnect()) // in the message's own turn Node still wants the channel
      resolve(door as Server)
    })
  })
}
