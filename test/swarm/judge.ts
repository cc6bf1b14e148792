// What has to come of a flow. It must deliver every byte once and in order, show both ends of the stream, and close without an error,
// unless there is an excuse; then it may fail, but never with other bytes than those sent, and never by hiding that some are missing.
//
// The excuses, each as narrow as a model of the network allows (RFC 9293 §3.8.3 R1 and R2, §3.6.1, §3.10.5):
//   - an application aborts, closes with unread text, or closes while the peer still sends; SO_LINGER 0; FIN-WAIT-2 and orphan limits
//   - a limit of time is shorter than what links, stalls, leaping clocks and pauses of applications can take: TIME below
//   - a path loses more than TENTH of its packets in either direction, or in long bursts: a limit of tries may run out
//   - a path silently drops large packets and the sender does not look for that, or the path takes less than any TCP must believe
//   - a listener's queues are small and it resets, or evicts, what does not fit
//   - a SYN cookie is overtaken by an acknowledgement without text, which a listener that keeps nothing cannot tell from a stranger's
//   - a forged ICMP error that has reached a connection while it opened, and may end it there (RFC 5461 §4.1): seen in the run (forged.ts)
//   - two that open to each other at a time when one of them is stalled: its port refuses
// Owns: these rules. Does not own: counting (side.ts).

import { DEFAULT_CONFIG, type TcpConfig } from '../../src/tcp/config.ts'
import type { AppPlan, Case, FlowPlan, PathPlan } from './case.ts'
import type { Side } from './side.ts'
import { account, type World } from './world.ts'

const S = 1e6
/** What retransmission needs at most in a quiet network, to the hundredth of a millionth. */
const TIME = 100 * S
const TENTH = 0.08

/** Why a flow may fail; null when it may not. */
export function excuseOf(it: Case, plan: FlowPlan): string | null {
  const ours = settings(it, plan, false)
  const theirs = settings(it, plan, true)
  const outage = outages(it)
  const quiet = TIME + 4 * outage + slowness(it)
  const time = quiet + pauses(plan.client) + pauses(plan.server)
  return (
    endings(plan.client, plan.server, ours, time, quiet) ??
    endings(plan.server, plan.client, theirs, time, quiet) ??
    limits(ours, time) ??
    limits(theirs, time) ??
    told(ours, theirs, time) ??
    told(theirs, ours, time) ??
    opening(it, plan, ours, theirs, time, outage) ??
    network(it, plan, [...ours, ...theirs]) ??
    null
  )
}

/** All that one side's settings are in turn. */
function settings(it: Case, plan: FlowPlan, isServer: boolean): TcpConfig[] {
  const host = it.hosts[isServer ? plan.to : plan.from]
  const own = isServer ? (plan.both ? {} : (host.listener?.config ?? {})) : plan.config
  const first = { ...DEFAULT_CONFIG, ...host.config, ...own }
  const app = isServer ? plan.server : plan.client
  return [first, ...app.changes.map(({ set }) => ({ ...first, ...set }))]
}

/** Microseconds in which something does not work. */
function outages(it: Case): number {
  let sum = 0
  for (const incident of it.incidents) {
    if (incident.kind === 'down' || incident.kind === 'stall') sum += incident.forUs
    if (incident.kind === 'jump') sum += incident.byUs
  }
  return sum
}

function pauses(app: AppPlan): number {
  const reads = app.readBytes > 0 ? app.readUs * (1 + 400) : 0
  return app.stallUs + app.endUs + reads + app.writeUs * (1 + app.bytes / app.chunk)
}

/** What slow links add. */
function slowness(it: Case): number {
  let sum = 0
  for (const { ab, ba } of it.links) {
    for (const { rateBps, queueBytes, delayUs } of [ab, ba])
      sum += 4 * delayUs + (rateBps > 0 ? (8e6 * 4 * queueBytes) / rateBps : 0)
  }
  return sum
}

function endings(app: AppPlan, peer: AppPlan, configs: TcpConfig[], time: number, quiet: number): string | null {
  if (app.ending === 'abort') return 'abort'
  if (app.ending === 'unread') return 'unread'
  if (app.discardAt >= 0) return 'discard'
  if (app.ending === 'close' && (peer.bytes > 0 || peer.ending === 'answer')) return 'close'
  if (configs.some(({ lingerUs }) => lingerUs === 0)) return 'linger 0'
  if (app.ending === 'close' && configs.some((c) => c.finWait2TimeoutUs < time - TIME / 2)) return 'FIN-WAIT-2'
  const wait = app.ending === 'close' ? time : quiet
  if (configs.some((c) => c.orphanTimeoutUs < wait)) return 'orphan'
  return null
}

function limits(configs: TcpConfig[], time: number): string | null {
  for (const c of configs) {
    if (c.retransmitTimeoutUs < time) return 'R2'
    if (c.userTimeoutUs > 0 && c.userTimeoutUs < time) return 'user timeout'
    if (c.keepAlive && c.keepAliveIntervalUs * c.keepAliveCount < time) return 'keep-alive'
  }
  return null
}

/** A peer's user timeout, by its option (RFC 5482 §3.1). */
function told(ours: TcpConfig[], theirs: TcpConfig[], time: number): string | null {
  const isHeeded = ours.some((c) => c.userTimeoutOption && c.userTimeoutLeastUs < time)
  const isTold = theirs.some((c) => c.userTimeoutOption && c.userTimeoutUs > 0)
  return isHeeded && isTold && theirs.some((c) => c.userTimeoutUs < time) ? 'user timeout option' : null
}

function opening(
  it: Case,
  plan: FlowPlan,
  ours: TcpConfig[],
  theirs: TcpConfig[],
  time: number,
  outage: number,
): string | null {
  if (ours.some((c) => c.synTimeoutUs < Math.min(time, 170 * S) + 2 * outage)) return 'R2 of SYN'
  if (plan.both) {
    if (theirs.some((c) => c.synTimeoutUs < Math.min(time, 170 * S) + 2 * outage)) return 'R2 of SYN'
    return outage > 0 ? 'crossing' : null
  }
  const { listener } = it.hosts[plan.to]
  if (listener === null) return 'nobody listens'
  const { synAckRetries, synCookies, synBacklog, abortOnOverflow, initialRtoUs } = theirs[0]
  if (synAckRetries < 5 || initialRtoUs < S || theirs[0].maxRtoUs < 10 * S || outage > 10 * S) return 'SYN,ACK'
  const isFull = listener.backlog < 100 || listener.acceptUs > 0
  if (isFull && abortOnOverflow) return 'overflow'
  const isBunched =
    listener.acceptUs > 0 || it.hosts[plan.to].batchUs > 0 || it.incidents.some(({ kind }) => kind === 'stall')
  const isShort = listener.acceptUs * it.flows.length > 20 * S || (isBunched && listener.backlog < it.flows.length)
  if (isFull && isShort) return 'backlog'
  // Who has forgotten a connection cannot sign the reset that would tell the peer so (RFC 2385 §4.2).
  if (listener.md5 && [...ours, ...theirs].some(({ mslUs }) => mslUs < 20 * S)) return 'MD5 and a short MSL'
  if (listener.md5 && it.hosts.some(({ timeWaitMax }) => timeWaitMax < 100)) return 'MD5 and few in TIME-WAIT'
  if (synBacklog < 100 && (synCookies === 'never' || listener.md5)) return 'eviction'
  const isCookie =
    synCookies === 'always' || (synCookies === 'pressure' && synBacklog <= it.flows.length && !listener.md5)
  if (isCookie && (outage > 0 || ours[0].initialRtoUs < S || mayDisturb(it))) return 'cookie overtaken'
  return null
}

function mayDisturb(it: Case): boolean {
  if (it.incidents.some(({ kind }) => kind === 'path' || kind === 'replay' || kind === 'probe')) return true
  return it.links.some(({ ab, ba }) => [ab, ba].some(isTroubled))
}

/** A path that loses, repeats or moves packets, or that is so long that a SYN goes again before it is answered. */
function isTroubled(path: PathPlan): boolean {
  const { reorder, duplicate, burst, rateBps, mtu, delayUs, jitterUs } = path
  return (
    reorder + duplicate + losses(path) + rateBps > 0 || burst !== null || mtu < 65535 || delayUs + jitterUs > 0.1 * S
  )
}

/** The worst that a direction of a link is drawn to lose. */
function losses(path: PathPlan): number {
  const { loss, burst, corrupt } = path
  if (burst !== null && (burst.leave < 0.5 || burst.loss * (burst.enter / (burst.enter + burst.leave)) > 0.03)) return 1
  return loss + corrupt + (burst === null ? 0 : 0.03)
}

function network(it: Case, plan: FlowPlan, configs: TcpConfig[]): string | null {
  const links = it.links.filter(({ a, b }) => isOnTheWay(it, plan, a) && isOnTheWay(it, plan, b))
  const paths = links.flatMap(({ ab, ba }) => [ab, ba])
  for (const incident of it.incidents) {
    if (incident.kind === 'path')
      paths.push({ ...paths[0], loss: 0, corrupt: 0, burst: null, mtu: 65535, ...incident.set })
  }
  // Without congestion control a bottleneck drops nearly all of each window, time after time; the first segment too when others overtake it.
  const isHeedless = configs.some(({ congestion }) => congestion === 'none' || congestion === 'fixed')
  if (isHeedless && paths.some(({ rateBps, reorder }) => rateBps > 0 || reorder > 0)) return 'no congestion control'
  let sum = 0
  for (const { ab, ba } of links) sum = Math.max(sum, losses(ab), losses(ba))
  const chained = links.reduce((most, { ab, ba }) => most + Math.max(losses(ab), losses(ba)), 0)
  if (chained > TENTH || sum > TENTH || paths.some((path) => losses(path) > TENTH)) return 'losses'
  const isHole = paths.some(({ mtu, isHole }) => mtu < 65535 && isHole)
  if (isHole && configs.some(({ pathMtuBlackHole }) => !pathMtuBlackHole)) return 'black hole'
  if (isHole && (it.family === 6 || paths.some(({ mtu }) => mtu < 600))) return 'deep black hole'
  return null
}

/** Hosts do not forward: only links to these two and between routers are on the way. */
function isOnTheWay(it: Case, plan: FlowPlan, node: number): boolean {
  return node >= it.hosts.length || node === plan.from || node === plan.to
}

/** Looks at every flow at the end. @throws {Stop} through `world.fail` */
export function judgeEnd(world: World): void {
  for (const flow of world.flows) {
    const { plan, client, server, excuse } = flow
    const { id } = plan
    world.notes.count('ends', excuse === null ? 'strict' : `excused: ${excuse}`)
    if (flow.isRefused) {
      world.notes.count('ends', 'port in use')
      continue
    }
    if (client === null) world.fail('stuck', `flow ${id} never began`, id)
    for (const [side, peer] of [
      [client, server],
      [server, client],
    ] as const) {
      if (side === null) continue
      const who = `flow ${id}, ${side.isServer ? 'server' : 'client'}`
      if (!side.isDone) world.fail('stuck', `${who}: ${side.connection.state}, ${account(side)}`, id)
      if (side.connection.error !== null) world.notes.count('ends', `error ${side.connection.error.code}`)
      const isTruncated =
        side.isEnded &&
        !(excuse !== null && flow.ghosts > 0) &&
        !side.isDiscarding &&
        (peer === null || side.received !== peer.written)
      if (isTruncated) world.fail('truncated', `${who}: the end after ${side.received} of ${peer?.written} bytes`, id)
      if (excuse !== null) continue
      if (isLateReset(side, peer)) continue
      if (side.connection.error !== null)
        world.fail('error', `${who}: ${side.connection.error.code}, ${account(side)}`, id)
      checkWhole(world, side, peer, who)
    }
    if (excuse === null && server === null)
      world.fail('error', `flow ${id} was never accepted, and the client saw no error`, id)
  }
}

/**
 * Both have sent and received all; the last acknowledgement was lost, and the peer, which has forgotten the connection, answers what goes
 * again with a reset. Nothing tells it from one that lost the text, so that the application hears of it [MUST-12].
 */
function isLateReset(side: Side, peer: Side | null): boolean {
  const isWhole = peer?.isEnded && peer.received === side.written
  return isWhole === true && side.connection.error?.code === 'ECONNRESET'
}

function checkWhole(world: World, side: Side, peer: Side | null, who: string): void {
  if (side.written !== side.plan.bytes) world.fail('error', `${who}: wrote no more, ${account(side)}`, side.flow)
  if (side.plan.ending === 'close' || peer === null) return
  if (!side.isEnded) world.fail('error', `${who}: closed before the end, ${account(side)}`, side.flow)
  if (side.received !== peer.plan.bytes)
    world.fail('error', `${who}: received ${side.received} of ${peer.plan.bytes}`, side.flow)
}
