// E14: port exhaustion. A client that closes first keeps each port for 2 MSL; one that opens connections faster than ports come back is
// held to ports / 2 MSL. Each remedy is measured, with what it costs.

import { MILLISECOND, type Micros, SECOND } from '../../base/time.ts'
import type { DialOptions } from '../../net/options.ts'
import type { TcpConfig } from '../../tcp/config.ts'
import { claimAtLeast, claimAtMost, claimExact, claimNear, figure } from '../claims.ts'
import type { RunContext } from '../context.ts'
import { defineExperiment } from '../define.ts'
import type { LabWorld, Worlds } from '../live.ts'
import { rounded } from '../measure.ts'
import { pairOf, type Topology } from '../topology.ts'
import type { Claim } from '../types.ts'

const FIRST_PORT = 40_000

/** A client that opens connections as fast as it is told. */
export interface Bench {
  readonly label: string
  readonly ports: number
  readonly mslUs: Micros
  /** Connections asked for a second: more than there can be. */
  readonly offered: number
  readonly forUs: Micros
  readonly tcp?: Partial<TcpConfig>
  readonly addresses?: readonly string[]
}

interface Measured {
  /** Connections a second, after the first 2 MSL. */
  readonly rate: number
  /** Attempts that found no port. */
  readonly refused: number
  readonly done: number
}

function networkOf({ addresses }: Bench): Topology {
  const plan = pairOf({ delay: '1ms' })
  return addresses === undefined
    ? plan
    : { ...plan, hosts: { ...plan.hosts, client: { address: addresses }, server: { address: '10.0.9.9' } } }
}

/** One request over a connection of its own, which the client closes first. */
async function ask(world: LabWorld, options: Partial<DialOptions>): Promise<void> {
  const socket = await world.connect('client', 'server', 80, { noDelay: true, ...options })
  const answered = new Promise<void>((resolve) => socket.once('data', () => resolve()))
  socket.write('GET')
  await answered
  socket.destroy()
}

/** Opens connections at the rate offered; what finds no port is not tried again. */
export async function bench(context: Worlds, plan: Bench): Promise<Measured> {
  const { label, ports, mslUs, offered, forUs, tcp = {}, addresses } = plan
  const world = context.world({
    label,
    isShown: false,
    topology: networkOf(plan),
    tcp: { mslUs, ...tcp },
    hosts: { client: { ephemeralPorts: [FIRST_PORT, FIRST_PORT + ports - 1] } },
    mostUs: forUs + 60 * SECOND,
  })
  const done: Micros[] = []
  let refused = 0
  await world.run(async () => {
    await world.listen('server', 80, (socket) => socket.once('data', () => socket.write('OK')), { noDelay: true })
    const work: Promise<void>[] = []
    for (let i = 0; world.now() < forUs; i++) {
      const localAddress = addresses?.[i % addresses.length]
      const asked = ask(world, localAddress === undefined ? {} : { localAddress }).then(
        () => void done.push(world.now()),
        () => void refused++,
      )
      work.push(asked)
      await world.sleep(SECOND / offered)
    }
    await Promise.all(work)
  })
  const warm = 2 * mslUs
  const rate = done.filter((at) => at >= warm && at < forUs).length / ((forUs - warm) / SECOND)
  return { rate: rounded(rate, 3), refused, done: done.length }
}

/** As many requests over one connection that is kept. */
export async function pooled(context: Worlds, offered: number, forUs: Micros): Promise<Measured> {
  const world = context.world({
    label: '',
    isShown: false,
    topology: pairOf({ delay: '1ms' }),
    mostUs: forUs + 60 * SECOND,
  })
  let done = 0
  await world.run(async () => {
    await world.listen('server', 80, (socket) => socket.on('data', () => socket.write('OK')), { noDelay: true })
    const socket = await world.connect('client', 'server', 80, { noDelay: true })
    socket.on('data', () => done++)
    while (world.now() < forUs) {
      socket.write('GET')
      await world.sleep(SECOND / offered)
    }
  })
  return { rate: rounded(done / (forUs / SECOND), 3), refused: 0, done }
}

interface Reset {
  readonly clean: number
  readonly reset: number
}

/** What a client writes last before it closes: with SO_LINGER 0 the reset takes it along. Bytes that the server's application got. */
async function lastWords(context: RunContext): Promise<Reset> {
  const come = async (lingerUs: number): Promise<number> => {
    const label = lingerUs === 0 ? 'SO_LINGER 0 loses the last words' : 'an ordinary close delivers them'
    const world = context.world({
      label,
      tcp: { lingerUs, resetKeepsText: false },
      topology: pairOf({ delay: '20ms', rate: '2mbit' }),
    })
    let bytes = 0
    await world.run(async () => {
      await world.listen('server', 80, (socket) => {
        socket.on('data', (chunk: Uint8Array) => {
          bytes += chunk.length
        })
      })
      const socket = await world.connect('client', 'server', 80)
      socket.write(new Uint8Array(50_000))
      socket.destroy()
      await world.sleep(5 * SECOND)
    })
    return bytes
  }
  return { clean: await come(-1), reset: await come(0) }
}

/** Whether a server can be started again while connections of its port are in TIME-WAIT at its end. */
async function restart(context: RunContext, reuseAddress: boolean): Promise<string> {
  const world = context.world({ label: '', isShown: false, topology: pairOf({ delay: '1ms' }) })
  return world.run(async () => {
    const server = await world.listen('server', 80, (socket) => socket.end('bye'))
    const socket = await world.connect('client', 'server', 80)
    socket.resume()
    await new Promise((resolve) => socket.once('close', resolve))
    await new Promise<void>((resolve) => server.close(() => resolve()))
    await world.sleep(100 * MILLISECOND)
    try {
      await world.host('server').listen({ port: 80, reuseAddress })
      return 'listens'
    } catch (error) {
      return (error as { code?: string }).code ?? 'an error'
    }
  })
}

/** What was measured, put to the test. */
function claimsOf({
  ports,
  msl,
  base,
  expected,
  worst,
  plain,
  two,
}: {
  readonly ports: number
  readonly msl: Micros
  readonly base: Bench
  readonly expected: number
  readonly worst: number
  readonly plain: Measured
  readonly two: Measured
}): Claim[] {
  const unit = 'a second'
  return [
    claimNear(
      {
        text: 'However many connections are asked for, ports / 2 MSL of them a second succeed.',
        because: `${ports} ports / ${(2 * msl) / SECOND} s; for 60,000 ports and 120 s that makes 500`,
        unit,
        beside: [figure('asked for', base.offered, unit), figure('found no port', plain.refused)],
      },
      plain.rate,
      expected,
      0.03,
    ),
    claimAtMost(
      {
        text: 'The same holds for other numbers of ports and lifetimes.',
        because: 'the same arithmetic',
        unit: '% off at the worst place',
      },
      rounded(100 * worst, 2),
      5,
    ),
    claimNear(
      { text: 'A second address doubles it.', because: 'the four values differ in another place', unit },
      two.rate,
      2 * expected,
      0.03,
    ),
  ]
}

/** What the remedies gave. */
function remedyClaims({
  ports,
  base,
  reuse,
  linger,
  pool,
  words,
  restarts,
}: {
  readonly ports: number
  readonly base: Bench
  readonly reuse: Measured
  readonly linger: Measured
  readonly pool: Measured
  readonly words: Reset
  readonly restarts: string
}): Claim[] {
  const unit = 'a second'
  return [
    claimNear(
      {
        text: 'Reuse by timestamp frees a port after a second: all that is asked for succeeds.',
        because: 'RFC 6191 §2: newer timestamps tell old segments apart',
        unit,
      },
      reuse.rate,
      Math.min(base.offered, ports),
      0.03,
    ),
    claimNear(
      { text: 'SO_LINGER 0 leaves no TIME-WAIT.', because: 'a reset ends the connection at once', unit },
      linger.rate,
      base.offered,
      0.03,
    ),
    claimAtLeast(
      {
        text: 'But the reset takes along what was not delivered yet.',
        because: 'RFC 9293 §3.10.5: ABORT flushes the queues',
        unit: 'bytes lost',
        beside: [figure('delivered', words.reset, 'bytes'), figure('by an ordinary close', words.clean, 'bytes')],
      },
      words.clean - words.reset,
      1,
    ),
    claimNear(
      {
        text: 'One kept connection serves all of them with one port.',
        because: 'no connection, no TIME-WAIT',
        unit,
      },
      pool.rate,
      base.offered,
      0.03,
    ),
    claimExact(
      {
        text: 'A server that closed first cannot listen again at once, but with SO_REUSEADDR it can.',
        because: 'SO_REUSEADDR lets a listener share its port with what is in TIME-WAIT',
      },
      restarts,
      'EADDRINUSE, listens',
    ),
  ]
}

/** E14: the ceiling, and what lifts it. */
export const portExhaustion = defineExperiment({
  id: 'port-exhaustion',
  fact: 'E14',
  title: 'Port exhaustion and its remedies',
  question: 'How many connections a second can one client open to one server, and what lifts the ceiling?',
  read: ['RFC 9293 §3.6.1', 'RFC 6191', 'RFC 6056', 'RFC 7323 §5'],
  parameters: {
    ports: {
      default: '60',
      unit: 'count',
      range: ['10', '2000'],
      doc: 'ephemeral ports of the client; real hosts have about 28,000 to 60,000',
    },
    msl: { default: '10s', unit: 'time', range: ['1s', '120s'], doc: 'maximum segment lifetime' },
  },
  topology: () => pairOf({ delay: '1ms' }),
  figures: ['ladder'],

  async run(context, { ports, msl }) {
    const ceiling = (count: number, mslUs: Micros): number => count / ((2 * mslUs) / SECOND)
    const expected = ceiling(ports, msl)
    const base: Bench = { label: '', ports, mslUs: msl, offered: 5 * expected, forUs: 8 * msl }
    const plain = await bench(context, base)
    const rows: (string | number)[][] = []
    const points: [number, number][] = []
    let worst = 0
    for (const [count, mslUs] of [
      [ports / 2, msl],
      [ports, msl / 2],
      [ports, 2 * msl],
      [2 * ports, msl],
    ] as const) {
      const whole = Math.round(count)
      const limit = ceiling(whole, mslUs)
      const { rate } = await bench(context, { ...base, ports: whole, mslUs, offered: 3 * limit, forUs: 6 * mslUs })
      worst = Math.max(worst, Math.abs(rate / limit - 1))
      points.push([rounded(limit, 3), rate])
      rows.push([whole, (2 * mslUs) / SECOND, rounded(limit, 3), rate])
    }
    const two = await bench(context, { ...base, addresses: ['10.0.0.1', '10.0.0.2'] })
    const reuse = await bench(context, { ...base, tcp: { timeWaitReuse: true } })
    const linger = await bench(context, { ...base, tcp: { lingerUs: 0 } })
    const pool = await pooled(context, base.offered, base.forUs)
    const words = await lastWords(context)
    const remedies: (readonly [string, Measured, string])[] = [
      ['nothing', plain, ''],
      ['two client addresses', two, 'an address for each ceiling'],
      ['reuse by timestamp (RFC 6191)', reuse, 'both ends need timestamps; a second in TIME-WAIT'],
      [
        'SO_LINGER 0 (reset)',
        linger,
        `no TIME-WAIT, no protection; ${words.clean - words.reset} of ${words.clean} last bytes lost`,
      ],
      ['one kept connection', pool, 'none: the best remedy'],
    ]
    const restarts = `${await restart(context, false)}, ${await restart(context, true)}`
    const sorted = [...points].sort((a, b) => a[0] - b[0])
    return {
      claims: [
        ...claimsOf({ ports, msl, base, expected, worst, plain, two }),
        ...remedyClaims({ ports, base, reuse, linger, pool, words, restarts }),
      ],
      tables: [
        {
          title: 'Remedies',
          columns: ['', 'connections a second', 'found no port', 'price'],
          rows: remedies.map(([name, m, price]) => [name, m.rate, m.refused, price]),
        },
        { title: 'The ceiling', columns: ['ports', '2 MSL s', 'ports / 2 MSL', 'measured a second'], rows },
      ],
      plots: [
        {
          title: 'The ceiling',
          x: 'ports / 2 MSL',
          y: 'connections a second',
          curves: [
            { name: 'measured', points: sorted },
            { name: 'expected', points: sorted.map(([x]) => [x, x] as const), isReference: true },
          ],
        },
      ],
    }
  },
})
