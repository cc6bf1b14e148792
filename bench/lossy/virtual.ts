// `npm run bench:lossy:virtual`: the table's links in virtual time, where nothing else of the machine has a say: two settings of the
// sender over the same seeds, as many as one likes. A transfer of 25 s through 100 ms takes about a third of a second.
//   --loss 0.1 --rtt 100 --reorder --seeds 60 --set congestion=linux-cubic,heuristics=linux --set congestion=cubic
// Prints, for each setting after the first, the geometric mean of its ratios to the first, with the standard error.
// Owns: the transfers and their ratios. Does not own: what the links do (cells.ts), CUBIC as Linux has it (src/packetdrill).

import { parseArgs } from 'node:util'
import { SECOND } from '../../src/base/index.ts'
import { createHost } from '../../src/net/index.ts'
import '../../src/packetdrill/linux-cubic.ts'
import { Network } from '../../src/sim/index.ts'
import type { TcpConfig } from '../../src/tcp/index.ts'
import { type Cell, cells, impairmentOf, LOSSES, RTTS, secondsOf } from './cells.ts'

const FIRST_SEED = 7919
const YARDSTICK = 'congestion=linux-cubic,heuristics=linux'
const OURS = 'congestion=cubic'

const { values } = parseArgs({
  options: {
    loss: { type: 'string' },
    rtt: { type: 'string' },
    reorder: { type: 'boolean', default: false },
    'no-reorder': { type: 'boolean', default: false },
    seeds: { type: 'string', default: '20' },
    set: { type: 'string', multiple: true, default: [YARDSTICK, OURS] },
  },
})

const numbers = (text: string | undefined, all: readonly number[]): readonly number[] =>
  text === undefined ? all : text.split(',').map(Number)

/** `name=value,name=value` as settings. */
function settings(text: string): Partial<TcpConfig> {
  const value = (word: string): unknown => (word === 'true' || word === 'false' ? word === 'true' : Number(word))
  const pairs = text.split(',').map((pair) => pair.split('='))
  return Object.fromEntries(pairs.map(([name, word]) => [name, Number.isNaN(value(word)) ? word : value(word)]))
}

/** Bytes that a receiver was given of one transfer, slow start included. */
async function transfer(cell: Cell, seed: number, tcp: Partial<TcpConfig>): Promise<number> {
  const network = new Network({ seed })
  const { time } = network
  const [left, right] = network.cable({ ...impairmentOf(cell), txQueueLength: 65536 })
  const sender = createHost({ device: left, address: '10.0.0.1/24', scheduler: time, random: network.random(), tcp })
  const receiver = createHost({ device: right, address: '10.0.0.2/24', scheduler: time, random: network.random() })
  let received = 0
  receiver.listenDirect({ port: 80 }, { onData: (_, bytes) => void (received += bytes.length) })
  const chunk = new Uint8Array(1 << 16)
  const socket = sender.createConnection({ host: '10.0.0.2', port: 80 })
  const fill = (): void => {
    while (socket.write(chunk));
  }
  socket.on('connect', fill).on('drain', fill)
  await time.run({ until: time.now() + secondsOf(cell, false) * SECOND })
  socket.on('error', () => undefined).destroy()
  return received
}

const mean = (list: readonly number[]): number => list.reduce((sum, value) => sum + value, 0) / list.length

const variants = values.set.map(settings)
const reorders = values.reorder ? [true] : values['no-reorder'] ? [false] : [false, true]
process.stdout.write(`beside ${values.set[0]}, ${values.seeds} seeds\n`)
process.stdout.write(
  '| RTT ms | loss % | reordering | setting | ratio | standard error |\n|---:|---:|---|---|---:|---:|\n',
)
for (const cell of cells(numbers(values.loss, LOSSES), numbers(values.rtt, RTTS), reorders)) {
  const logs: number[][] = variants.slice(1).map(() => [])
  for (let i = 1; i <= Number(values.seeds); i++) {
    const bytes: number[] = []
    for (const tcp of variants) bytes.push(await transfer(cell, i * FIRST_SEED, tcp))
    logs.forEach((log, n) => void log.push(Math.log(bytes[n + 1] / bytes[0])))
  }
  logs.forEach((log, n) => {
    const middle = mean(log)
    const error = Math.sqrt(mean(log.map((value) => (value - middle) ** 2)) / log.length)
    const where = `| ${cell.rttMs} | ${cell.loss} | ${cell.reorder ? '2 % by 3 ms' : ''} | ${values.set[n + 1]}`
    process.stdout.write(`${where} | ${Math.exp(middle).toFixed(3)} | ${error.toFixed(3)} |\n`)
  })
}
process.exit(0)
