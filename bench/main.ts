// `npm run bench`: bulk throughput of one connection each way, this stack over a TUN device beside the kernel's own loopback, in turn in the
// same run, in a network namespace of its own. Only the ratios mean anything on another machine.
//   npm run bench -- [--runs 5] [--seconds 2] [--json]

import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { cpus, release } from 'node:os'
import { parseArgs } from 'node:util'

const INSIDE = 'TUNSTACK_BENCH_INSIDE'
const { values: flags } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    json: { type: 'boolean', default: false },
  },
})

interface Row {
  readonly name: string
  readonly mbit: number[]
}

const SERVERS = [
  { kind: 'kernel', address: '127.0.0.1', name: 'kernel, loopback' },
  { kind: 'stack', address: '10.78.0.2', name: 'tunstack, TUN with offload' },
  { kind: 'stack-plain', address: '10.78.0.2', name: 'tunstack, TUN, 1500-byte packets' },
] as const
const WAYS = [
  { way: 'send', name: 'kernel -> server' },
  { way: 'receive', name: 'server -> kernel' },
] as const

const tsx = (...args: string[]): string[] => ['--import', 'tsx', ...args]

/** Runs one server, measures both ways, ends it. */
async function measure(kind: string, address: string): Promise<number[]> {
  const server = spawn(process.execPath, tsx('bench/tun/servers.ts', kind), { stdio: ['pipe', 'pipe', 'inherit'] })
  await new Promise<void>((resolve, reject) => {
    server.stdout.once('data', () => resolve())
    server.once('exit', (code) => reject(new Error(`the ${kind} server ended with ${code}`)))
  })
  const rates = WAYS.map(({ way }) =>
    Number(
      execFileSync(process.execPath, tsx('bench/tun/client.ts', address, way, flags.seconds), { encoding: 'utf8' }),
    ),
  )
  server.stdin.end()
  await new Promise((resolve) => server.once('exit', resolve))
  return rates
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]

async function main(): Promise<void> {
  if (process.env[INSIDE] !== '1') {
    const way = process.getuid?.() === 0 ? ['--net'] : ['--user', '--map-root-user', '--net']
    const inner = spawnSync('unshare', [...way, process.execPath, ...tsx(...process.argv.slice(1))], {
      stdio: 'inherit',
      env: { ...process.env, [INSIDE]: '1' },
    })
    process.exit(inner.status ?? 1)
  }
  execFileSync('ip', ['link', 'set', 'lo', 'up'])
  const rows: Row[] = SERVERS.flatMap(({ name }) => WAYS.map((way) => ({ name: `${name}: ${way.name}`, mbit: [] })))
  for (let run = 0; run < Number(flags.runs); run++) {
    for (const [s, { kind, address }] of SERVERS.entries()) {
      const rates = await measure(kind, address)
      for (const [w, rate] of rates.entries()) rows[s * WAYS.length + w].mbit.push(rate)
    }
  }
  print(rows)
}

function print(rows: readonly Row[]): void {
  const commit = spawnSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).stdout.trim()
  const machine = `${cpus().length} x ${cpus()[0].model}, Linux ${release()}, Node ${process.version}, commit ${commit}`
  const results = rows.map(({ name, mbit }, i) => ({
    name,
    medianMbit: median(mbit),
    leastMbit: Math.min(...mbit),
    mostMbit: Math.max(...mbit),
    ratioToKernel: median(mbit.map((rate, run) => rate / rows[i % WAYS.length].mbit[run])),
  }))
  if (flags.json) {
    process.stdout.write(`${JSON.stringify({ machine, runs: Number(flags.runs), results }, null, 2)}\n`)
    return
  }
  process.stdout.write(`${machine}\n${flags.runs} runs of ${flags.seconds} s, one connection, Mbit/s\n\n`)
  for (const r of results) {
    const range = `${r.leastMbit.toFixed(0)}-${r.mostMbit.toFixed(0)}`
    process.stdout.write(
      `${r.name.padEnd(52)} ${r.medianMbit.toFixed(0).padStart(7)}  (${range.padStart(13)})  ${r.ratioToKernel.toFixed(2)} x kernel\n`,
    )
  }
}

await main()
