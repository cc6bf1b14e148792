// A process that does runs of a sweep: it is told the plan once, then the number of each run, and answers with results.
// Owns: nothing but that talk. Does not own: the runs (src/lab/sweep-plan.ts), who gets which (sweep-pool.ts).

import { doRun, type SweepPlan } from '../lab/sweep-plan.ts'

let plan: SweepPlan | null = null
let turn: Promise<unknown> = Promise.resolve()

process.on('message', (message: { readonly plan: SweepPlan } | { readonly run: number }) => {
  if ('plan' in message) {
    plan = message.plan
    return
  }
  turn = turn.then(async () => {
    if (plan === null) return
    const result = await doRun(plan, message.run)
    if (process.connected) process.send?.(result)
  })
})
// Ctrl-C reaches every process of the terminal: the first one says when to end.
process.on('SIGINT', () => undefined)
process.on('disconnect', () => process.exit(0))
