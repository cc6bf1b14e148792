// Making a case that fails smaller while it still fails in the same way: flows, incidents, troubles of links, settings and plans of
// applications go one after the other, for as long as there is time.
// Owns: the order of attempts. Does not own: running (once.ts).

import type { AppPlan, Case, PathPlan } from './case.ts'
import { runCase } from './once.ts'
import type { Failure } from './world.ts'

const CALM: Omit<PathPlan, 'delayUs' | 'queueBytes'> = {
  jitterUs: 0,
  loss: 0,
  burst: null,
  duplicate: 0,
  reorder: 0,
  reorderUs: 0,
  corrupt: 0,
  mark: 0,
  rateBps: 0,
  mtu: 65535,
  isHole: false,
}

const PLAIN: Partial<AppPlan> = {
  chunk: 65521,
  writeUs: 0,
  readBytes: 0,
  readUs: 0,
  stallAt: 0,
  stallUs: 0,
  urgentEvery: 0,
  more: false,
  discardAt: -1,
  endUs: 0,
}

/** One way to make a case smaller; false when there was nothing to take away. */
type Cut = (it: Case) => boolean

/** The smallest case found that fails with the same kind of failure, within `until` (a clock's milliseconds) of `clock`. */
export function shrink(
  it: Case,
  kind: Failure['kind'],
  until: number,
  clock: () => number,
  run: (it: Case) => Failure | null = (smaller) => runCase(smaller).failure,
): Case {
  let best = it
  const attempt = (cut: Cut): boolean => {
    const copy = structuredClone(best)
    if (clock() > until || !cut(copy)) return false
    if (run(copy)?.kind !== kind) return false
    best = copy
    return true
  }
  for (let before = ''; before !== JSON.stringify(best) && clock() < until; ) {
    before = JSON.stringify(best)
    for (let size = best.flows.length >> 1; size >= 1; size >>= 1) {
      for (let from = best.flows.length - size; from >= 0; from -= size) {
        attempt(({ flows }) => {
          if (flows.length <= size) return false
          flows.splice(from, size)
          flows.forEach((flow, i) => {
            flow.id = i
          })
          return true
        })
      }
    }
    for (let i = best.incidents.length - 1; i >= 0; i--) attempt(({ incidents }) => incidents.splice(i, 1).length > 0)
    for (const cut of cuts(best)) attempt(cut)
  }
  return best
}

function cuts(it: Case): Cut[] {
  const all: Cut[] = []
  it.links.forEach((_, i) => {
    for (const side of ['ab', 'ba'] as const) {
      all.push((c) => set(c.links[i][side], CALM))
      for (const name of Object.keys(CALM) as (keyof typeof CALM)[]) {
        all.push((c) => set(c.links[i][side], { [name]: CALM[name] }))
      }
      all.push((c) => set(c.links[i][side], { delayUs: 10_000 }))
    }
  })
  it.hosts.forEach((host, i) => {
    all.push((c) => set(c.hosts[i], { mtu: 1500, offload: 'none', batchUs: 0, timeWaitMax: 65536 }))
    for (const [name, value] of [
      ['mtu', 1500],
      ['offload', 'none'],
      ['batchUs', 0],
      ['timeWaitMax', 65536],
    ] as const) {
      all.push((c) => set(c.hosts[i], { [name]: value }))
    }
    all.push(...knobCuts((c) => c.hosts[i].config, host.config))
    if (host.listener === null) return
    all.push(...knobCuts((c) => c.hosts[i].listener?.config ?? {}, host.listener.config))
    all.push((c) => set(c.hosts[i].listener ?? {}, { backlog: 511, acceptUs: 0, md5: false }))
  })
  it.flows.forEach((flow, i) => {
    all.push(...knobCuts((c) => c.flows[i].config, flow.config))
    all.push((c) => set(c.flows[i], { at: 0 }))
    for (const side of ['client', 'server'] as const) {
      all.push((c) => set(c.flows[i][side], { ending: 'polite', endUs: 0 }))
      for (const [name, value] of Object.entries(PLAIN)) all.push((c) => set(c.flows[i][side], { [name]: value }))
      for (const part of [0, 0.1, 0.5]) {
        all.push((c) => set(c.flows[i][side], { bytes: Math.floor(c.flows[i][side].bytes * part) }))
      }
      flow[side].changes.forEach((_, k) => {
        all.push((c) => c.flows[i][side].changes.splice(k, 1).length > 0)
        all.push(...knobCuts((c) => c.flows[i][side].changes[k]?.set ?? {}, flow[side].changes[k].set))
      })
    }
  })
  all.push((c) => set(c, { isn: null }))
  return all
}

function knobCuts(of: (it: Case) => object, config: object): Cut[] {
  const remove = (it: Case, names: string[]): boolean => {
    const target = of(it) as Record<string, unknown>
    const known = names.filter((name) => name in target)
    for (const name of known) delete target[name]
    return known.length > 0
  }
  const names = Object.keys(config)
  return [
    (it) => remove(it, names),
    ...names.map(
      (name): Cut =>
        (it) =>
          remove(it, [name]),
    ),
  ]
}

function set(target: object, values: object): boolean {
  if (Object.entries(values).every(([name, value]) => (target as Record<string, unknown>)[name] === value)) return false
  Object.assign(target, values)
  return true
}
