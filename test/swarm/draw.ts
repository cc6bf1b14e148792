// Drawing a case from a seed: small ones mostly, so that many are tried; each with a few troubles, since a network in which everything
// goes wrong proves little. Owns: what is drawn, how often. Does not own: settings of TCP (knobs.ts), running (world.ts).

import type { TcpConfig } from '../../src/tcp/config.ts'
import type { AppPlan, Case, Ending, FlowPlan, HostPlan, Incident, LinkPlan, ListenerPlan, PathPlan } from './case.ts'
import { Dice } from './dice.ts'
import { drawChanges, drawConfig } from './knobs.ts'

const MS = 1000
const S = 1e6

/** The case of a seed. */
export function drawCase(seed: number): Case {
  const d = new Dice(seed)
  const family = d.chance(0.6) ? 4 : 6
  const shape = d.pick('pair', 'pair', 'star', 'chain', 'server', 'crossing')
  const { hosts: count, routers, links } = drawShape(d, shape, family)
  const isWhole = shape === 'pair' && d.chance(0.08)
  const hosts = Array.from({ length: count }, (_, i) => drawHost(d, family, isServer(shape, i), isWhole))
  if (isWhole) for (const link of links) calm(link)
  const flows = drawFlows(d, shape, hosts)
  if (d.chance(0.4)) setTheme(d, hosts, flows, links, family)
  const lastAt = Math.max(...flows.map(({ at }) => at))
  const incidents = isWhole && d.chance(0.8) ? [] : drawIncidents(d, family, hosts.length, links, lastAt + 10 * S)
  const isn = d.chance(0.25) ? d.pick(-1, -1000, -100_000, 0x7fffffff - 5000) : null
  return { seed, family, isn, shape, routers, hosts, links, flows, incidents }
}

function isServer(shape: string, host: number): boolean {
  return shape === 'server' || shape === 'star' ? host === 0 : shape === 'pair' || shape === 'chain' ? host === 1 : true
}

/** Nodes and links: hosts first, then routers. */
function drawShape(d: Dice, shape: string, family: 4 | 6): { hosts: number; routers: number; links: LinkPlan[] } {
  const trouble = d.pick(0, 0.15, 0.3, 0.3, 0.5)
  const link = (a: number, b: number): LinkPlan => ({
    a,
    b,
    ab: drawPath(d, family, trouble),
    ba: drawPath(d, family, trouble),
  })
  switch (shape) {
    case 'star': {
      const hosts = d.whole(3, 6)
      const links = [link(0, hosts)]
      for (let i = 1; i < hosts; i++) links.push(link(i, hosts + 1))
      links.push(link(hosts, hosts + 1))
      return { hosts, routers: 2, links }
    }
    case 'chain': {
      const hops = d.whole(1, 4)
      const links = [link(0, 2)]
      for (let i = 1; i < hops; i++) links.push(link(1 + i, 2 + i))
      links.push(link(1 + hops, 1))
      return { hosts: 2, routers: hops, links }
    }
    case 'server': {
      const hosts = d.whole(3, 12)
      const links = [link(0, hosts)]
      for (let i = 1; i < hosts; i++) links.push(link(i, hosts))
      return { hosts, routers: 1, links }
    }
    default:
      return { hosts: 2, routers: 0, links: [link(0, 1)] }
  }
}

function drawPath(d: Dice, family: 4 | 6, trouble: number): PathPlan {
  const has = (): boolean => d.chance(trouble)
  const rateBps = has() ? d.scaled(64_000, 100_000_000) : 0
  const mtu = d.chance(trouble / 4) ? drawMtu(d, family) : 65535
  return {
    delayUs: d.chance(0.1) ? d.pick(0, 1, 400 * MS) : d.scaled(50, 100 * MS),
    jitterUs: has() ? d.scaled(10, 50 * MS) : 0,
    loss: has() ? (d.chance(0.1) ? d.between(0.1, 0.4) : d.between(0.001, 0.07)) : 0,
    burst: d.chance(trouble / 3)
      ? { enter: d.between(0.001, 0.05), leave: d.between(0.1, 0.9), loss: d.between(0.3, 1) }
      : null,
    duplicate: has() ? d.between(0.001, 0.3) : 0,
    reorder: has() ? d.between(0.005, 0.3) : 0,
    reorderUs: d.chance(0.7) ? d.scaled(100, 200 * MS) : 0,
    corrupt: d.chance(trouble / 2) ? d.between(0.001, 0.05) : 0,
    mark: has() ? d.between(0.001, 0.3) : 0,
    rateBps,
    queueBytes: d.scaled(3000, 300_000),
    mtu,
    isHole: d.chance(0.35),
  }
}

function drawMtu(d: Dice, family: 4 | 6): number {
  return family === 6 ? d.pick(1280, 1280, 1400, 1480, 1499) : d.pick(296, 552, 576, 1006, 1280, 1400, 1492, 1499)
}

/** Super-segments that arrive whole pass a cable, not a network. */
function calm(link: LinkPlan): void {
  for (const path of [link.ab, link.ba]) {
    path.corrupt = 0
    path.mtu = 65535
    path.rateBps = 0
  }
}

function drawHost(d: Dice, family: 4 | 6, listens: boolean, isWhole: boolean): HostPlan {
  const small = family === 6 ? 1280 : d.pick(296, 576, 1280)
  return {
    mtu: d.chance(0.75) ? 1500 : d.pick(small, small, 1400, 9000, 65535),
    offload: isWhole ? 'whole' : d.chance(0.25) ? 'split' : 'none',
    batchUs: d.chance(0.2) ? d.scaled(10, 5 * MS) : 0,
    timeWaitMax: d.chance(0.05) ? d.pick(0, 1, 3) : 65536,
    config: d.chance(0.5) ? {} : drawConfig(d),
    listener: listens ? drawListener(d) : null,
  }
}

function drawListener(d: Dice): ListenerPlan {
  const config = drawConfig(d)
  if (d.chance(0.06)) config.synCookies = d.pick('always', 'pressure')
  if (d.chance(0.06)) config.synBacklog = d.pick(1, 2, 4)
  if (d.chance(0.2)) config.fastOpen = true
  return {
    port: d.pick(80, 443, 9999),
    backlog: d.chance(0.15) ? d.pick(1, 2, 4) : 511,
    acceptUs: d.chance(0.1) ? d.scaled(MS, S) : 0,
    md5: d.chance(0.06),
    config,
  }
}

function drawFlows(d: Dice, shape: string, hosts: HostPlan[]): FlowPlan[] {
  const count = d.chance(0.1) ? d.whole(20, 60) : d.chance(0.3) ? d.whole(8, 20) : d.whole(1, 8)
  const gap = d.pick(0, 0, 10 * MS, 200 * MS, 2 * S)
  const flows: FlowPlan[] = []
  let budget = d.chance(0.02) ? 4 << 20 : 400_000
  let at = 0
  for (let id = 0; id < count; id++) {
    const both = shape === 'crossing' && d.chance(0.6)
    const [from, to] = drawEnds(d, shape, hosts.length)
    const config = d.chance(0.6) ? {} : drawConfig(d)
    if (d.chance(0.15)) config.fastOpen = true
    if (shape !== 'crossing' && d.chance(0.02)) config.timeWaitReuse = true
    const peer = both ? {} : (hosts[to].listener?.config ?? {})
    const changes = d.chance(0.2) ? [drawTurn(d)] : []
    const unit = smallest(hosts[from].config, hosts[to].config, config, peer, ...changes.map(({ set }) => set))
    const most = Math.max(1, Math.min(budget, unit * 300))
    const client = drawApp(d, most, false)
    const server = drawApp(d, most, !both && client.ending !== 'answer')
    client.changes = changes
    if (client.ending === 'close' && d.chance(0.6)) server.bytes = 0
    if (server.ending === 'close' && d.chance(0.6)) client.bytes = 0
    if (d.chance(0.1)) server.changes = [drawTurn(d)]
    const spread = smallest(...server.changes.map(({ set }) => set)) * 300
    client.bytes = Math.min(client.bytes, spread)
    server.bytes = Math.min(server.bytes, spread)
    if (client.ending === 'answer') client.ending = 'polite'
    budget = Math.max(1000, budget - client.bytes - server.bytes)
    flows.push({ id, at: Math.round(at), from, to, localPort: both ? 20000 + id : 0, both, config, client, server })
    at += d.chance(0.3) ? 0 : d.between(0, gap)
  }
  if (shape !== 'crossing' && d.chance(0.1)) reusePorts(d, flows)
  return flows
}

/** Connections one after the other from the same port, out of TIME-WAIT. */
function reusePorts(d: Dice, flows: FlowPlan[]): void {
  const gap = d.scaled(1.5 * S, 90 * S)
  flows.forEach((flow, i) => {
    if (flow.both) return
    flow.localPort = 30000 + (i % 3)
    flow.at = Math.floor(i / 3) * gap
  })
}

/** What needs several sides at once to happen at all. */
function setTheme(d: Dice, hosts: HostPlan[], flows: FlowPlan[], links: LinkPlan[], family: 4 | 6): void {
  const listeners = hosts.flatMap(({ listener }) => (listener === null ? [] : [listener]))
  switch (d.whole(0, 6)) {
    case 0: // Fast Open: the cookie of one connection serves the next
      for (const { config } of [...flows, ...listeners]) config.fastOpen = true
      for (const listener of listeners) listener.md5 = false
      flows.forEach((flow, i) => {
        flow.at += i * d.between(0, S)
      })
      break
    case 1: // little room for what comes out of order, much of which does
      for (const { config } of hosts)
        Object.assign(config, { outOfOrderRanges: 4, outOfOrderPrune: d.chance(0.5), flightPieces: 64 })
      for (const { ab, ba } of links)
        for (const path of [ab, ba]) Object.assign(path, { loss: 0.03, reorder: 0.2, reorderUs: 5000 })
      break
    case 2: // a path that takes less than its ends, told or not, and more again later
      for (const { ab, ba } of links)
        for (const path of [ab, ba]) Object.assign(path, { mtu: drawMtu(d, family), isHole: d.chance(0.3) })
      for (const flow of flows)
        flow.server.bytes = Math.max(flow.server.bytes, Math.min(30_000, flow.server.bytes * 10))
      break
    case 3: // a flood, with other settings on the way of each
      for (const listener of listeners)
        Object.assign(listener.config, { synBacklog: d.pick(1, 2, 4), synCookies: d.pick('always', 'pressure') })
      for (const flow of flows) flow.at = Math.round(flow.at / 100)
      break
    case 4: {
      // marks, and controllers that heed them
      const ecn = d.pick('on', 'accurate')
      for (const { config } of hosts)
        Object.assign(config, { ecn, congestion: d.pick('dctcp', 'cubic', 'bbr', 'newreno') })
      for (const { ab, ba } of links) for (const path of [ab, ba]) path.mark = d.between(0.01, 0.5)
      break
    }
    case 5: // windows that shut, readers that pause
      for (const { config } of hosts) config.receiveBufferBytes = d.pick(500, 1460, 4096, 20_000)
      for (const { client, server } of flows) {
        for (const app of [client, server]) {
          if (app.bytes > 100_000) app.bytes = 100_000
          Object.assign(app, { readBytes: Math.max(700, Math.ceil(app.bytes / 100)), readUs: d.scaled(MS, S) })
        }
      }
      break
    default: // a bottleneck with a short queue
      for (const { ab, ba } of links.slice(0, 2)) {
        for (const path of [ab, ba])
          Object.assign(path, { rateBps: d.scaled(200_000, 20_000_000), queueBytes: d.scaled(3000, 30_000) })
      }
  }
}

function drawEnds(d: Dice, shape: string, hosts: number): [number, number] {
  switch (shape) {
    case 'star':
    case 'server':
      return [d.whole(1, hosts - 1), 0]
    case 'crossing':
      return d.chance(0.5) ? [0, 1] : [1, 0]
    default:
      return [0, 1]
  }
}

function drawTurn(d: Dice): { afterUs: number; set: Partial<TcpConfig> } {
  return { afterUs: d.scaled(100, 2 * S), set: drawChanges(d) }
}

/** The least step in which these settings let text move. */
function smallest(...configs: Partial<TcpConfig>[]): number {
  let unit = 1460
  for (const config of configs) {
    for (const name of [
      'mss',
      'sendBufferBytes',
      'receiveBufferBytes',
      'receiveBufferMaxBytes',
      'sendBufferMaxBytes',
      'notSentLowWaterBytes',
    ] as const) {
      unit = Math.min(unit, config[name] ?? unit)
    }
    if (config.congestion === 'fixed' && config.initialWindowSegments === 1) unit = Math.min(unit, 500)
  }
  return unit
}

function drawApp(d: Dice, most: number, mayAnswer: boolean): AppPlan {
  const size = d.pick(
    0,
    1,
    d.scaled(1, 1000),
    d.scaled(1, 1000),
    d.scaled(500, 16_000),
    d.scaled(500, 16_000),
    d.scaled(10_000, 100_000),
  )
  const bytes = Math.min(most, most > 1e6 && d.chance(0.5) ? d.scaled(1e6, most) : d.chance(0.02) ? most : size)
  const ending: Ending = d.chance(0.91)
    ? mayAnswer && d.chance(0.4)
      ? 'answer'
      : 'polite'
    : d.pick('close', 'close', 'unread', 'abort')
  const isSlow = d.chance(0.15)
  return {
    bytes,
    chunk: d.chance(0.6) ? 65521 : Math.max(d.scaled(1, 20_000), Math.ceil(bytes / 200)),
    writeUs: d.chance(0.2) ? d.scaled(10, 300 * MS) : 0,
    readBytes: isSlow ? Math.max(d.scaled(1, 30_000), Math.ceil(most / 200)) : 0,
    readUs: isSlow ? d.scaled(10, 200 * MS) : 0,
    stallAt: d.chance(0.1) ? d.scaled(1, 20_000) : 0,
    stallUs: d.chance(0.1) ? d.scaled(MS, 20 * S) : 0,
    urgentEvery: d.chance(0.04) ? d.whole(1, 5) : 0,
    more: d.chance(0.05),
    discardAt: d.chance(0.005) ? d.scaled(1, 10_000) : -1,
    ending,
    endUs: ending === 'abort' || ending === 'unread' ? d.scaled(1, 5 * S) : 0,
    changes: [],
  }
}

const ERRORS_V4 = [
  [3, 0],
  [3, 1],
  [3, 4],
  [3, 4],
  [3, 13],
  [4, 0],
  [11, 0],
  [12, 0],
  [3, 3],
] as const
const ERRORS_V6 = [
  [1, 0],
  [1, 3],
  [2, 0],
  [2, 0],
  [1, 1],
  [3, 0],
  [4, 0],
  [1, 4],
] as const

function drawIncidents(d: Dice, family: 4 | 6, hosts: number, links: LinkPlan[], until: number): Incident[] {
  const incidents: Incident[] = []
  const when = (): number => Math.round(d.chance(0.5) ? d.scaled(100, until) : d.between(0, until))
  const link = (): number => d.whole(0, links.length - 1)
  const host = (): number => d.whole(0, hosts - 1)
  if (d.chance(0.4)) return incidents
  const count = d.whole(1, 5)
  for (let i = 0; i < count; i++) {
    const at = when()
    const side = d.pick('ab', 'ba', 'both', 'both')
    const range = d.chance(0.1) ? 120 * S : 5 * S
    switch (d.whole(0, 10)) {
      case 0:
        incidents.push({ at, kind: 'path', link: link(), side, set: { delayUs: d.scaled(50, 300 * MS) } })
        break
      case 1: {
        const broken = link()
        const set = { mtu: drawMtu(d, family), isHole: d.chance(0.35) }
        incidents.push({ at, kind: 'path', link: broken, side, set })
        if (d.chance(0.5))
          incidents.push({ at: at + d.scaled(S, 900 * S), kind: 'path', link: broken, side, set: { mtu: 65535 } })
        break
      }
      case 2:
        incidents.push({
          at,
          kind: 'path',
          link: link(),
          side,
          set: { loss: d.between(0, 0.06), reorder: d.between(0, 0.1) },
        })
        break
      case 3:
      case 4:
        incidents.push({ at, kind: 'down', link: link(), forUs: d.scaled(MS, range) })
        break
      case 5:
        incidents.push({ at, kind: 'stall', host: host(), forUs: d.scaled(MS, range) })
        break
      case 6:
        incidents.push({ at, kind: 'jump', host: host(), byUs: d.chance(0.1) ? 3600 * S : d.scaled(MS, 30 * S) })
        break
      case 7: {
        const [type, code] = d.pick(...(family === 4 ? ERRORS_V4 : ERRORS_V6))
        const mtu = d.pick(0, 68, 296, 576, 1280, 1400)
        incidents.push({ at, kind: 'icmp', host: host(), type, code, mtu, inWindow: d.chance(0.6) })
        break
      }
      case 8:
        incidents.push({ at, kind: 'echo', host: host(), bytes: d.scaled(1, 1000) })
        break
      case 9:
        incidents.push({ at, kind: 'replay', count: d.whole(1, 20), old: d.chance(0.5) })
        break
      case 10:
        incidents.push({
          at,
          kind: 'probe',
          host: host(),
          port: d.pick(80, 443, 9999, 20000, 40000),
          flags: d.whole(0, 63),
        })
        break
    }
  }
  return incidents.sort((a, b) => a.at - b.at)
}
