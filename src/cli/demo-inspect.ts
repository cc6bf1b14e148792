// `tunstack demo --inspect`: the demonstration goes on, and its live page is to be had in the user's own browser.
//
//   browser <-> 127.0.0.1:8080 of this machine <-> relay <-> the namespace's kernel <-> TUN <-> our TCP
//
// The door, a listening socket, is opened outside the namespace and handed in (namespace.ts): a socket stays in the network where it was
// made, and what the relay opens is made inside. So every byte of the page comes over our TCP, and nothing else can be reached that way.
// Owns: the door, the relay, who may ask, the visits in between. Does not own: the page (inspect.ts), the networks (demo-tun.ts,
// demo-virtual.ts).

import { createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import type { DemoScene, SceneParts } from './demo-types.ts'
import { CliError, codeOf, messageOf } from './errors.ts'
import { authoritiesOf, INSPECT_PATH, Inspector } from './inspect.ts'
import { Knobs } from './inspect-knobs.ts'
import { printError } from './print.ts'

const LOCAL = '127.0.0.1'
/** The port that is tried first when none was named. */
const USUAL_PORT = 8080
/** How long after a visit the next one begins, in milliseconds. */
const EVERY_MS = 3000
/** Connections that are relayed at a time. */
const MAX_RELAYED = 64
/** How long the end may take, in milliseconds. */
const END_MS = 1500
const END_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Opens the port for the browser, on the loopback interface alone.
 * @param port null: the usual one, or any when that is taken
 * @throws {CliError} when it cannot be had
 */
export async function openDoor(port: number | null): Promise<Server> {
  try {
    return await listenOn(port ?? USUAL_PORT)
  } catch (error) {
    if (port === null && codeOf(error) === 'EADDRINUSE') return listenOn(0)
    throw new CliError(`cannot listen on ${LOCAL}:${port ?? USUAL_PORT}: ${messageOf(error)}`, {
      mend: 'choose another, --inspect PORT; 0 is any that is free',
    })
  }
}

function listenOn(port: number): Promise<Server> {
  const door = createServer()
  return new Promise((resolve, reject) => {
    door.once('error', reject).listen(port, LOCAL, () => resolve(door))
  })
}

const portOf = (door: Server): number => (door.address() as { port: number }).port

/** The live page of a demonstration. It answers to the names of its door and to no other: those of the host are behind the relay. */
export function doorInspector(door: Server, { host, device, link, impairment, scheduler }: SceneParts): Inspector {
  const knobs = new Knobs({ host, link, impairment }, {})
  return new Inspector({ host, device, scheduler }, knobs, authoritiesOf([LOCAL, 'localhost'], portOf(door)))
}

/** Relays what comes through the door, and lets the client come again and again, until a signal comes. */
export async function keepOpen(door: Server, scene: DemoScene): Promise<void> {
  const stop = new AbortController()
  for (const signal of END_SIGNALS) process.on(signal, () => stop.abort())
  const relayed = new Set<Socket>()
  door.maxConnections = MAX_RELAYED
  door.on('connection', (socket: Socket) => {
    relayed.add(socket.once('close', () => relayed.delete(socket)))
    join(socket, scene.dial())
  })
  const origin = `http://${LOCAL}:${portOf(door)}`
  printError(`The demonstration goes on: ${scene.visitor} comes again every ${EVERY_MS / 1000} s.`)
  printError(`  look at ${origin}${INSPECT_PATH}`)
  printError(`  its page is ${origin}/`)
  printError('Ctrl-C ends it')
  const { signal } = stop
  const over = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
  while (!signal.aborted) {
    // A visit fails when the knobs make the link bad: that is what they are for.
    await Promise.race([scene.visit(signal).catch(() => undefined), over])
    await pause(EVERY_MS, undefined, { signal }).catch(() => undefined)
  }
  door.close()
  setTimeout(() => process.exit(), END_MS).unref() // should something still hang on
  for (const socket of relayed) socket.destroy()
}

/** What one gets the other is sent, until either is over. */
function join(one: Duplex, other: Duplex): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ]) {
    from.on('error', () => to.destroy())
    from.once('close', () => to.destroy())
    from.pipe(to)
  }
}
