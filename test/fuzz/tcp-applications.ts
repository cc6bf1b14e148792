// What the applications of a fuzzed world do, and the end of an intact one: whatever was forged, both streams arrive whole.
// Owns: calls, the end. Does not own: what was on the way (tcp-world.ts).

import type { Dice } from './dice.ts'
import { violated } from './target.ts'
import type { App, FuzzHost } from './tcp-host.ts'
import type { TcpWorld } from './tcp-world.ts'

const MOST_ROUNDS = 3000

/** One call of an application. */
export function applicationDoes(world: TcpWorld, index: 0 | 1, a: number, b: number, c: number, dice: Dice): void {
  const host = world.hosts[index]
  const { isIntact } = world.settings
  host.now = world.now
  const { apps } = host
  if (apps.length > 6) forgetClosed(host)
  const app = apps.length === 0 ? null : apps[(a >> 5) % apps.length]
  const kind = a & 31
  if (kind === 0 && !isIntact) world.open(index, c & 7)
  else if (kind === 1) host.acceptsAtOnce = isIntact || dice.oneIn(2)
  else if (kind === 2) host.accept()
  else if (kind === 3) host.readsAtOnce = dice.oneIn(2)
  else if (app !== null) callOn(host, app, kind, b, c, isIntact, dice)
  host.pump()
}

function callOn(host: FuzzHost, app: App, kind: number, b: number, c: number, isIntact: boolean, dice: Dice): void {
  const { connection } = app
  switch (kind) {
    case 4:
      connection.shutdownWrite()
      break
    case 5:
      if (!isIntact && dice.oneIn(2)) connection.close()
      break
    case 6:
      if (!isIntact && dice.oneIn(3)) connection.abort()
      break
    case 7:
      if (!isIntact && dice.oneIn(2)) connection.shutdownRead()
      break
    case 8:
      connection.setNoDelay((c & 1) === 0)
      break
    case 9:
      connection.configure({ cork: (c & 1) === 0 })
      break
    case 10:
      connection.quickAck((c & 1) === 0)
      break
    case 11:
      connection.setKeepAlive((c & 1) === 0, 1_000_000)
      break
    case 12:
      if (!isIntact) app.written -= connection.flush()
      break
    case 13:
      connection.configure({ congestion: dice.pick(['cubic', 'reno', 'bbr', 'none']) })
      break
    case 14:
      if (!isIntact)
        connection.configure({ lingerUs: dice.pick([-1, 0, 1_000_000]), userTimeoutUs: dice.pick([0, 1e6]) })
      break
    case 15:
      connection.configure({ sendBufferBytes: 1 + dice.below(40_000), notSentLowWaterBytes: 1 + dice.below(40_000) })
      break
    case 16:
      connection.configure({ receiveBufferBytes: 1 + dice.below(40_000) })
      break
    case 17:
      host.write(app, 1 + (c & 63), true)
      break
    case 18:
    case 19:
    case 20:
    case 21:
      host.read(app, b * 8 + c)
      break
    default:
      if (!connection.tcb.snd.finQueued) host.write(app, (b & 3) === 0 ? 1 + c : c * 32, false)
  }
}

function forgetClosed(host: FuzzHost): void {
  const open = host.apps.filter(({ connection }) => connection.state !== 'CLOSED')
  host.apps.length = 0
  host.apps.push(...open)
}

/** Both applications read all, close, and nothing is lost any more: everything has to arrive. */
export function finishStreams(world: TcpWorld): void {
  const { hosts } = world
  for (const host of hosts) {
    host.now = world.now
    host.acceptsAtOnce = true
    host.readsAtOnce = true
    closeAll(host)
  }
  for (let round = 0; round < MOST_ROUNDS; round++) {
    if (hosts.every(isDone)) break
    if (hosts[0].wire.length + hosts[1].wire.length > 0) {
      world.deliver(0, 50)
      world.deliver(1, 50)
      world.advance(1000)
      hosts.forEach(closeAll)
      continue
    }
    const next = Math.min(...hosts.map(({ stack }) => stack.nextDeadline()))
    if (next === Number.POSITIVE_INFINITY) break
    world.advance(Math.max(0, next - world.now))
  }
  for (const host of hosts) for (const app of host.apps) judge(world, host, app)
}

function closeAll(host: FuzzHost): void {
  host.accept()
  for (const app of host.apps) {
    while (app.connection.readableBytes > 0) host.read(app, 60_000)
    if (app.connection.remote.equals(host.peerAddress)) app.connection.shutdownWrite()
  }
  host.pump()
}

function isDone({ apps, peerAddress, wire }: FuzzHost): boolean {
  if (wire.length > 0) return false
  return apps.every(({ connection }) => {
    const { state } = connection
    return state === 'CLOSED' || state === 'TIME-WAIT' || !connection.remote.equals(peerAddress)
  })
}

/** What the other has written has been read here, and its end seen. */
function judge(world: TcpWorld, host: FuzzHost, app: App): void {
  const { connection, read } = app
  if (!connection.remote.equals(host.peerAddress) || connection.error !== null) return
  const other = world.hosts[1 - host.index]
  const peer = other.apps.find(
    ({ connection: { localPort, remotePort } }) =>
      localPort === connection.remotePort && remotePort === connection.localPort,
  )
  if (peer === undefined || peer.connection.error !== null) return
  if (read !== peer.written) {
    const { state } = connection
    violated(`the stream stops: ${read} of ${peer.written} octets were read, ${state} and ${peer.connection.state}`)
  }
  if (!connection.ended) violated(`the end of a stream never came, ${connection.state} and ${peer.connection.state}`)
}
