// `npm run bench:lossy`: what one bulk connection gets through a lossy link, this stack beside the kernel's cubic, in turn and partly side
// by side in the same run. Every pair of ends has the same kind of link: an ImpairedPath each way in this process, seeded alike.
//
// A link: 100 Mbit/s each way, a queue of one bandwidth-delay product or 100 packets, half of the round trip as delay, losses in both
// directions, so also of acknowledgements; with reordering 2 % of the packets arrive 3 ms late. The yardstick is the kernel with cubic
// sending to the kernel over two TUN devices; ours lives in this process and has the same loop between itself and the kernel. Without
// `--offload` all offloads are off; with it devices give super-segments, which the link takes as the packets that they stand for. Goodput: bytes that the receiving program was given, each compared with what was sent, from its `accept` on, slow start included.
//
// The slow cells run side by side, as many as the machine carries easily, each transfer on a link of its own.

import { mkdirSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { findNamespaceWay, isInsideNamespace, runInNamespace, watchLifeline } from '../../src/cli/namespace.ts'
import { type Cell, cells, expectedMbit, LOSSES, RTTS, secondsOf } from './cells.ts'
import { countedBetween, readKernelCounters } from './kernel-counters.ts'
import { head, json, line, type Measured, machine } from './report.ts'
import { type Kind, type Outcome, Testbed } from './testbed.ts'

const HELP = `npm run bench:lossy -- [options]

Goodput of one bulk connection over a lossy link, tunstack beside the kernel's cubic over the same kind of link, as a Markdown table.
Needs root or an unprivileged user namespace; works in a network namespace of its own. The whole table takes about ten minutes.

  --loss LIST      loss in percent, as 0.1,1        (${LOSSES.join(',')})
  --rtt LIST       round trips in ms, as 20         (${RTTS.join(',')})
  --reorder        only the cells with reordering
  --no-reorder     only those without
  --kind LIST      of kernel, send, receive: who sends; kernel is the yardstick   (all)
  --seeds N        runs of each cell                (3 of the fast cells, 5 of the slow)
  --first-seed N   seed of the first run            (1)
  --seconds N      how long each transfer lasts     (2 to 25, by the cell)
  --quick          a quarter of the time, two runs
  --offload        segmentation and checksum offload at the devices, the kernel's and ours
  --json FILE      also writes everything as JSON
  --capture DIR    also writes every transfer as its sender sees it, as pcapng
  --help           this text
`

const KINDS: readonly Kind[] = ['kernel', 'send', 'receive']
/** How much traffic the machine carries without becoming the bottleneck itself. */
const SIDE_BY_SIDE_MBIT = 100
const MOST_LANES = 15

function readFlags() {
  return parseArgs({
    options: {
      loss: { type: 'string' },
      rtt: { type: 'string' },
      reorder: { type: 'boolean', default: false },
      'no-reorder': { type: 'boolean', default: false },
      kind: { type: 'string' },
      seeds: { type: 'string' },
      'first-seed': { type: 'string', default: '1' },
      seconds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      offload: { type: 'boolean', default: false },
      json: { type: 'string' },
      capture: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  }).values
}

type Flags = ReturnType<typeof readFlags>

/** @throws {TypeError} naming the option */
function readNumber(text: string, name: string, most: number): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= 0 && value <= most)) {
    throw new TypeError(`--${name} takes numbers from 0 to ${most}, not '${text}'`)
  }
  return value
}

const readList = (text: string | undefined, name: string, most: number): number[] | undefined =>
  text?.split(',').map((part) => readNumber(part, name, most))

interface Plan {
  readonly cells: readonly Cell[]
  readonly kinds: readonly Kind[]
  readonly firstSeed: number
  seeds(cell: Cell): number
  seconds(cell: Cell): number
}

function planOf(flags: Flags): Plan {
  const reorders = flags.reorder === flags['no-reorder'] ? [false, true] : [flags.reorder]
  const seeds = flags.seeds === undefined ? -1 : readNumber(flags.seeds, 'seeds', 1000)
  const seconds = flags.seconds === undefined ? -1 : readNumber(flags.seconds, 'seconds', 600)
  const kinds = KINDS.filter((kind) => flags.kind === undefined || flags.kind.split(',').includes(kind))
  if (kinds.length === 0) throw new TypeError(`--kind takes ${KINDS.join(', ')}, not '${flags.kind}'`)
  return {
    cells: cells(readList(flags.loss, 'loss', 100), readList(flags.rtt, 'rtt', 10_000), reorders),
    kinds,
    firstSeed: readNumber(flags['first-seed'], 'first-seed', 1e9),
    seeds: (cell) => (seeds >= 1 ? seeds : flags.quick ? 2 : expectedMbit(cell) > 50 ? 3 : 5),
    seconds: (cell) => (seconds > 0 ? seconds : secondsOf(cell, flags.quick)),
  }
}

/** Runs the transfers of a cell, interleaved, side by side as far as they are slow. */
async function measure(testbed: Testbed, plan: Plan, cell: Cell): Promise<Measured> {
  const runs: Record<Kind, Outcome[]> = { kernel: [], send: [], receive: [] }
  const seconds = plan.seconds(cell)
  const before = readKernelCounters()
  testbed.takeWorstLateness()
  const lanes = Math.max(1, Math.min(MOST_LANES, Math.floor(SIDE_BY_SIDE_MBIT / expectedMbit(cell))))
  const jobs = Array.from({ length: plan.seeds(cell) }, (_, run) =>
    plan.kinds.map((kind) => ({ cell, kind, seconds, seed: plan.firstSeed + run })),
  ).flat()
  const work = async (): Promise<void> => {
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
      runs[job.kind][job.seed - plan.firstSeed] = await testbed.run(job)
    }
  }
  await Promise.all(Array.from({ length: lanes }, work))
  const counted = countedBetween(before, readKernelCounters())
  return { cell, seconds, runs, counted, lateMs: testbed.takeWorstLateness() / 1000 }
}

/** What went wrong, one line each. */
function failuresOf({ cell, runs }: Measured): string[] {
  const name = `RTT ${cell.rttMs} ms, loss ${cell.loss} %${cell.reorder ? ', reordering' : ''}`
  return KINDS.flatMap((kind) =>
    runs[kind].flatMap(({ failure }, run) => (failure === '' ? [] : [`${name}, ${kind}, run ${run + 1}: ${failure}`])),
  )
}

/** Inside the namespace. Returns the exit code. */
async function run(flags: Flags, plan: Plan): Promise<number> {
  if (flags.capture !== undefined) mkdirSync(flags.capture, { recursive: true })
  const testbed = new Testbed(flags.capture ?? null, flags.offload)
  const stop = (): void => {
    testbed.close()
    process.exit(130)
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop)
  watchLifeline(stop)
  const failures: string[] = []
  try {
    await testbed.open()
    process.stdout.write(`${machine()}${flags.offload ? ', offload' : ''}\n\n${head()}\n`)
    const all: Measured[] = []
    for (const cell of plan.cells) {
      const measured = await measure(testbed, plan, cell)
      all.push(measured)
      failures.push(...failuresOf(measured))
      process.stdout.write(`${line(measured)}\n`)
    }
    if (flags.json !== undefined) writeFileSync(flags.json, json(all))
  } finally {
    testbed.close()
  }
  for (const failure of failures) process.stderr.write(`FAILED: ${failure}\n`)
  if (failures.length === 0) process.stdout.write('\nEvery byte that arrived was compared with what had been sent.\n')
  return failures.length === 0 ? 0 : 1
}

async function main(): Promise<number> {
  const flags = readFlags()
  if (flags.help) {
    process.stdout.write(HELP)
    return 0
  }
  const plan = planOf(flags)
  if (isInsideNamespace()) return run(flags, plan)
  const way = findNamespaceWay()
  if (way.ok) return runInNamespace(way.flags)
  process.stderr.write(`bench:lossy: ${way.reason}. Run it as root on Linux: sudo npm run bench:lossy\n`)
  return 1
}

try {
  process.exit(await main())
} catch (error) {
  process.stderr.write(`bench:lossy: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
}
