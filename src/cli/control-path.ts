// Where the control sockets of running instances are: a folder of the user's own, one socket for each instance.
// Owns: the folder and who may enter it, names, what is left over of instances that are gone. Does not own: what is said
// (control-server.ts, control-client.ts).

import { chmodSync, lstatSync, mkdirSync, readdirSync, unlinkSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { CliError, codeOf } from './errors.ts'

const SUFFIX = '.sock'
/** How long a socket may take to answer a connection. */
const CONNECT_MS = 1000

/** The folder by the user's environment: $XDG_RUNTIME_DIR/tunstack, /run/user/UID/tunstack, or /tmp/tunstack-UID. */
export function controlFolder(env: NodeJS.ProcessEnv = process.env): string {
  const { XDG_RUNTIME_DIR: runtime } = env
  if (runtime?.startsWith('/')) return join(runtime, 'tunstack')
  const uid = process.getuid?.() ?? 0
  const own = `/run/user/${uid}`
  return isFolder(own) && isOwn(own) ? join(own, 'tunstack') : ownFolder(`/tmp/tunstack-${uid}`)
}

/** A folder of this name; with a number behind it where that is somebody else’s, as the real root’s is for root in `unshare -Ur`. */
export function ownFolder(name: string): string {
  const paths = [name, ...Array.from({ length: 8 }, (_, i) => `${name}-${i + 1}`)]
  return paths.find(isOwn) ?? name
}

/** Whether a folder is ours, or could be: there is none. */
function isOwn(path: string): boolean {
  try {
    return lstatSync(path).uid === process.getuid?.()
  } catch (error) {
    return codeOf(error) === 'ENOENT'
  }
}

function isFolder(path: string): boolean {
  try {
    return lstatSync(path).isDirectory()
  } catch {
    return false
  }
}

/**
 * Makes the folder, or checks that it is ours and nobody else's: in /tmp anyone may have made it first.
 * @throws {CliError} when it is not
 */
export function openControlFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const found = lstatSync(folder)
  const isOurs = found.isDirectory() && found.uid === (process.getuid?.() ?? found.uid)
  if (!isOurs) throw new CliError(`${folder} is not a folder of this user's`)
  if ((found.mode & 0o077) !== 0) chmodSync(folder, 0o700)
}

/** The socket of an instance. */
export function controlPath(folder: string, name: string): string {
  return join(folder, `${name}${SUFFIX}`)
}

/** Whether a name can be one of an instance: letters, digits, `.`, `_`, `-`, up to 64 of them. */
export function isInstanceName(name: string): boolean {
  return /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/.test(name)
}

/** Names of the instances that run, in alphabetical order; what is left over of others is removed. */
export async function liveInstances(folder: string): Promise<string[]> {
  let names: string[]
  try {
    names = readdirSync(folder).filter((name) => name.endsWith(SUFFIX))
  } catch {
    return []
  }
  const live: string[] = []
  for (const file of names) {
    const path = join(folder, file)
    if (await isLive(path)) live.push(file.slice(0, -SUFFIX.length))
  }
  return live.sort()
}

/** Whether somebody listens on a socket; one where nobody does is removed. */
export async function isLive(path: string): Promise<boolean> {
  const code = await new Promise<string | null>((resolve) => {
    const socket = connect(path)
    socket.setTimeout(CONNECT_MS, () => done('ETIMEDOUT'))
    const done = (result: string | null): void => {
      socket.destroy()
      resolve(result)
    }
    socket.once('connect', () => done(null))
    socket.once('error', (error) => done(codeOf(error) ?? 'EIO'))
  })
  if (code === 'ECONNREFUSED') {
    try {
      unlinkSync(path)
    } catch {
      // Somebody else was faster.
    }
  }
  return code === null || code === 'ETIMEDOUT'
}
