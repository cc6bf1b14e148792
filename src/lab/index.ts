// The lab: experiments on TCP and HTTP in virtual time, whose claims can fail.
//
// To add an experiment: copy src/lab/experiments/nagle.ts, give it an id, a question and claims, and put it into registry.ts (one import,
// one line). `npm run lab -- ID` runs it. docs/lab.md has the words for networks, faults and claims.

export * from './claims.ts'
export { RunContext, type WorldRequest } from './context.ts'
export { defineExperiment } from './define.ts'
export { describeLink, drawTopology } from './draw.ts'
export { type Fault, formatFault, parseFault } from './faults.ts'
export { LIVE, liveNamed } from './live/registry.ts'
export * from './live.ts'
export * from './measure.ts'
export { readParameters } from './parameters.ts'
export type * from './record.ts'
export { EXPERIMENTS, experimentNamed } from './registry.ts'
export { allHold, type RunOptions, runExperiment, runLiveExperiment } from './run.ts'
export { type Paint, PLAIN, reportLines } from './text-report.ts'
export { checkTopology, dumbbell, type HostPlan, type Link, type LinkWay, pairOf, type Topology } from './topology.ts'
export type * from './types.ts'
export { CAUSES, type CauseName } from './waterfall.ts'
export { type Browser, bodyOf, browse, type Fetched, serve } from './web.ts'
export { World, type WorldOptions } from './world.ts'
