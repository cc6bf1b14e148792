// `npm run bench`: how fast the whole stack is, beside the kernel's loopback and Node on it in the same minutes, in a network namespace of
// its own. Only ratios mean anything on another machine.
//   npm run bench -- [--only P1,P5] [--runs 5] [--seconds 1] [--peer NAME=PROGRAM[@ADDRESS]] [--precedence] [--json]
// A peer is started in the namespace, and has to serve 5001 (takes), 5002 (gives), 5003 (echoes), 5004 (HTTP) at its address, 10.9.0.2
// unless told otherwise; what ends in .js or .mjs is run by Node. `--precedence` gives every process of a run real-time priority: for
// machines that others work on.
// `--only hold --idle 100000 --seconds 60`: so many idle connections, and 10,000 that are not, without an error.
// `--only allocation [--profile]`: bytes allocated for each packet, and by which functions.
// Owns: the order of the runs, the report. Does not own: works (tun/works.ts), processes (tun/testbed.ts), P7 (tun/idle.ts), P9
// (virtual.ts), P10 (growth.ts), memory (allocation.ts). P8 is `npm run bench:lossy`.

import { execFileSync, spawnSync } from 'node:child_process'
import { cpus, release } from 'node:os'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { benchAllocation } from './allocation.ts'
import { compile } from './compile.ts'
import { benchGrowth } from './growth.ts'
import { figure, ratios, type Summary, summary } from './statistics.ts'
import { benchHold, benchIdle } from './tun/idle.ts'
import { type Figures, iperf3, isInstalled, precedence, type Server, start, stop } from './tun/testbed.ts'
import { WORKS, type Work } from './tun/works.ts'
import { benchVirtual } from './virtual.ts'

const INSIDE = 'TUNSTACK_BENCH_INSIDE'
const { values: flags } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    runs: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1' },
    peer: { type: 'string', multiple: true, default: [] },
    idle: { type: 'string', default: '10000' },
    precedence: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})

/** What was found of one kind of work at one server. */
interface Row {
  readonly id: string
  readonly title: string
  readonly server: string
  readonly unit: string
  readonly figures: Summary
  readonly ratio: Summary | null
  readonly reference: string
  readonly cpu: string
}

function isWanted(id: string): boolean {
  return flags.only === '' || flags.only.split(',').some((one) => id === one || id.startsWith(`${one}-`))
}

function peerOf(text: string): Server {
  const parts = /^([^=]+)=([^@]+)(?:@(.+))?$/.exec(text)
  if (parts === null) throw new TypeError(`--peer is NAME=PROGRAM or NAME=PROGRAM@ADDRESS, not '${text}'`)
  const [, name, path, address = '10.9.0.2'] = parts
  const program = resolve(path)
  const command = /\.m?js$/.test(program) ? [process.execPath, program] : [program]
  return { name, address, command, isOurs: false }
}

async function measure(works: readonly Work[]): Promise<Row[]> {
  const [load, servers, kernel] = await compile(
    'bench/tun/load.ts',
    'bench/tun/servers.ts',
    'bench/tun/kernel-server.ts',
  )
  const node = process.execPath
  const own = (name: string, address: string): Server => ({
    name,
    address,
    command: [node, servers, name],
    isOurs: true,
  })
  const all: Server[] = [
    { name: 'kernel', address: '127.0.0.1', command: [node, kernel], isOurs: true },
    own('node', '127.0.0.1'),
    own('stack', '10.78.0.2'),
    own('direct', '10.78.0.2'),
    own('plain', '10.78.0.2'),
    ...flags.peer.map(peerOf),
  ]
  const means = { program: load, seconds: Number(flags.seconds), how: precedence(flags.precedence) }
  const found = new Map<string, Figures[]>()
  const loopback: number[] = []
  for (let run = 0; run < Number(flags.runs); run++) {
    if (isWanted('P1') && isInstalled('iperf3')) loopback.push((await iperf3(1)).mbit)
    for (const server of all) {
      const due = works.filter((work) => takesPart(work, server))
      if (due.length === 0) continue
      const running = await start(server, means.how)
      for (const work of due) {
        const key = `${work.id} ${server.name}`
        const figures = await work.run(running, means)
        found.set(key, [...(found.get(key) ?? []), figures])
      }
      await stop(running)
    }
    if (!flags.json) process.stderr.write(`run ${run + 1} of ${flags.runs}\n`)
  }
  const rows = works.flatMap((work) => rowsOf(work, all, found))
  if (loopback.length === 0) return rows
  const note = { id: 'P1', title: 'loopback by iperf3', server: 'iperf3', unit: 'Mbit/s', ratio: null, cpu: '' }
  return [{ ...note, figures: summary(loopback), reference: '' }, ...rows]
}

function takesPart(work: Work, server: Server): boolean {
  return work.servers.includes(server.name) || (!server.isOurs && work.isForPeers)
}

function rowsOf(work: Work, servers: readonly Server[], found: ReadonlyMap<string, readonly Figures[]>): Row[] {
  const of = (name: string): readonly Figures[] => found.get(`${work.id} ${name}`) ?? []
  const values = (name: string): number[] => of(name).map((figures) => work.figure(figures))
  const reference = values(work.reference)
  return servers
    .filter((server) => takesPart(work, server))
    .map(({ name }) => {
      const mine = values(name)
      const middle = of(name).toSorted((a, b) => work.figure(a) - work.figure(b))[Math.floor(mine.length / 2)]
      return {
        id: work.id,
        title: work.title,
        server: name,
        unit: work.unit,
        figures: summary(mine),
        ratio: name === work.reference ? null : summary(ratios(mine, reference)),
        reference: work.reference,
        cpu: work.cpu(middle),
      }
    })
}

function printRow({ id, title, server, unit, figures, ratio, reference, cpu }: Row): void {
  const range = `${figure(figures.least)}-${figure(figures.most)}`
  const by =
    ratio === null ? '' : `${figure(ratio.median)} x ${reference} (${figure(ratio.least)}-${figure(ratio.most)})`
  const columns = [
    id.padEnd(7),
    title.padEnd(26),
    server.padEnd(8),
    figure(figures.median).padStart(9),
    unit.padEnd(11),
    `(${range})`.padEnd(19),
    by.padEnd(30),
    cpu === '' ? '' : `CPU ${cpu}`,
  ]
  process.stdout.write(`${columns.join(' ').trimEnd()}\n`)
}

async function main(): Promise<void> {
  if (process.env[INSIDE] !== '1') {
    const way = process.getuid?.() === 0 ? ['--net'] : ['--user', '--map-root-user', '--net']
    const command = [...way, '--fork', '--kill-child', process.execPath, '--import', 'tsx', ...process.argv.slice(1)]
    const inner = spawnSync('unshare', command, { stdio: 'inherit', env: { ...process.env, [INSIDE]: '1' } })
    process.exit(inner.status ?? 1)
  }
  execFileSync('ip', ['link', 'set', 'lo', 'up'])
  // As many connections as there are ports, and no wait for those that are over.
  spawnSync('sysctl', ['-qw', 'net.ipv4.ip_local_port_range=1024 65000', 'net.ipv4.tcp_max_tw_buckets=2000'])
  spawnSync('sysctl', ['-qw', 'net.ipv4.tcp_rmem=4096 131072 33554432', 'net.ipv4.tcp_wmem=4096 65536 33554432'])
  const commit = spawnSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).stdout.trim()
  const machine = `${cpus().length} x ${cpus()[0].model}, Linux ${release()}, Node ${process.version}, commit ${commit}`
  const works = WORKS.filter(({ id }) => isWanted(id)).filter(needsNothingMissing)
  const rows = works.length === 0 ? [] : await measure(works)
  const text = flags.json ? () => undefined : (line: string) => process.stdout.write(`${line}\n`)
  text(machine)
  if (!flags.json) for (const row of rows) printRow(row)
  const idle = []
  for (const kind of isWanted('P7') ? (['stack', 'direct'] as const) : []) {
    idle.push(await benchIdle(kind, Number(flags.idle), precedence(flags.precedence), text))
  }
  // Takes minutes: only when it is asked for.
  const isHoldWanted = flags.only.split(',').includes('hold')
  const how = precedence(flags.precedence)
  const hold = isHoldWanted ? await benchHold(Number(flags.idle), 10_000, Number(flags.seconds), how, text) : null
  const isAllocationWanted = flags.only.split(',').includes('allocation')
  const allocation = isAllocationWanted ? await benchAllocation(flags.profile, how, text) : null
  const virtual = isWanted('P9') ? await benchVirtual(Number(flags.runs), how, text) : null
  const growth = isWanted('P10') ? await benchGrowth(text) : null
  const all = { machine, rows, idle, hold, allocation, virtual, growth }
  if (flags.json) process.stdout.write(`${JSON.stringify(all, null, 2)}\n`)
}

function needsNothingMissing(work: Work): boolean {
  if (work.unit !== 'requests/s' || isInstalled('wrk')) return true
  process.stderr.write(`${work.id} is left out: wrk is not installed\n`)
  return false
}

await main()
