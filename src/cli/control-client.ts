// Asking a running instance: finding it, one question, its answer.
// Owns: which instance is meant, errors. Does not own: where sockets are (control-path.ts), what the answers mean (ss.ts, ip.ts, nstat.ts).

import { connect } from 'node:net'
import { controlFolder, controlPath, isInstanceName, liveInstances } from './control-path.ts'
import { CliError, messageOf, usageError } from './errors.ts'

/** How long an instance may take to answer. */
const ANSWER_MS = 10_000

/** The socket of the instance that is meant: the one named, or the only one. @throws {CliError} when there is none, or several */
export async function findInstance(name: string | undefined): Promise<string> {
  const folder = controlFolder()
  if (name !== undefined && !isInstanceName(name)) throw usageError(`'${name}' is no name of an instance`)
  const live = await liveInstances(folder)
  if (name !== undefined) {
    if (live.includes(name)) return controlPath(folder, name)
    const others = live.length === 0 ? 'none runs' : `there are ${live.join(', ')}`
    throw new CliError(`no tunstack runs under the name '${name}': ${others}`)
  }
  if (live.length === 1) return controlPath(folder, live[0])
  if (live.length === 0) {
    throw new CliError(`no tunstack runs for this user (${folder} has no socket)`, {
      mend: 'start one, as: sudo tunstack serve . -- and ask as the same user, with the same XDG_RUNTIME_DIR',
    })
  }
  throw new CliError(`${live.length} instances run: ${live.join(', ')}`, { mend: `say which: --instance ${live[0]}` })
}

/** Asks one question of an instance. @throws {CliError} when it does not answer, or refuses */
export async function ask<T>(name: string | undefined, call: string): Promise<T> {
  const path = await findInstance(name)
  const line = await new Promise<string>((resolve, reject) => {
    const socket = connect(path)
    let text = ''
    socket.setEncoding('utf8')
    socket.setTimeout(ANSWER_MS, () => socket.destroy(new Error(`no answer in ${ANSWER_MS / 1000} s`)))
    socket.on('connect', () => socket.write(`${JSON.stringify({ call })}\n`))
    socket.on('data', (chunk: string) => {
      text += chunk
      if (!text.includes('\n')) return
      socket.destroy()
      resolve(text)
    })
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('it has ended')))
  }).catch((error: unknown) => {
    throw new CliError(`the instance at ${path} does not answer: ${messageOf(error)}`)
  })
  const { ok, error } = JSON.parse(line) as { ok?: T; error?: string }
  if (error !== undefined) throw new CliError(`the instance at ${path} says: ${error}`)
  return ok as T
}
