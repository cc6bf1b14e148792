// E32: the network of a class. A PC is plugged into a switch and knows nothing; in the end it has read a page by https, and every packet of
// the seven protocols that took is in a table.

import { type Micros, SECOND } from '../../base/time.ts'
import type { Lease } from '../../dhcp/index.ts'
import type { HostResolver } from '../../net/dns.ts'
import { claimExact, claimOrder, claimTrue, figure } from '../claims.ts'
import { ClassRun, classPlan, type Page, type Step } from '../class-run.ts'
import type { FrameRecord } from '../classroom.ts'
import { CLASS_ADDRESSES, CLASS_NAMES, CLASS_PAGE, CLASS_POOL, CLASS_SETTLE_US, EVERYBODY } from '../classroom.ts'
import { defineExperiment } from '../define.ts'
import { inMs, rounded } from '../measure.ts'
import type { Claim, Table } from '../types.ts'

const { dns, web } = CLASS_ADDRESSES
const BOOT = 'the client boots'

/** What each step after the boot is made of, in round trips. */
const ROUNDS: readonly (readonly [string, number, string])[] = [
  ['ping the web server', 2, 'ARP, echo'],
  ['ping it again', 1, 'echo'],
  [`http://${web}/`, 2, 'TCP, HTTP'],
  [`http://${CLASS_NAMES.web}/`, 4, 'ARP for the DNS server, DNS, TCP, HTTP'],
  [`https://${web}/`, 3, 'TCP, TLS, HTTP'],
  [`https://${CLASS_NAMES.web}/`, 3, 'TCP, TLS, HTTP; the name is known'],
  ['ping its IPv6 address', 2, 'neighbour discovery, echo'],
  [`http://${CLASS_NAMES.web6}/`, 3, 'DNS, TCP, HTTP'],
  ['after a silence', 1, 'echo; ARP still knows, the switch does not'],
  ['and once more', 1, 'echo'],
]

/** Neighbours are asked whether they are still there a while after they were used last (RFC 4861 §7.3.2); the silence begins after that. */
const LINGER_US = 10 * SECOND

interface Seen {
  readonly lease: Lease
  readonly addresses: readonly string[]
  readonly pages: readonly Page[]
  readonly notForUs: number
  readonly stations: number
}

async function attend(run: ClassRun, silenceUs: Micros): Promise<Seen> {
  const { room } = run
  await room.open()
  await run.sleep(CLASS_SETTLE_US)
  const station = room.join('client', [], { slaac: true })
  const { host } = station
  let lease = null as Lease | null
  await run.step(BOOT, async () => {
    lease = await run.lease(station)
  })
  if (lease === null) throw new Error('the client has no address')
  const resolver: HostResolver = host.resolver({ servers: lease.dnsServers.map(String) })
  await run.sleep(5 * SECOND) // until the address has been announced twice
  const pages: Page[] = []
  const strangers = ['router', 'dhcp', 'dns'].map((name) => room.stations.get(name)?.ethernet.drops)
  const dropped = (): number => strangers.reduce((sum, drops) => sum + (drops?.get('eth-not-for-us') ?? 0), 0)
  for (const [name] of ROUNDS) {
    if (name.startsWith('http')) await run.step(name, async () => pages.push(await run.get(station, resolver, name)))
    else if (name.includes('IPv6')) await run.step(name, () => host.ping(run.address6('web')))
    else {
      if (name === 'after a silence') await run.sleep(silenceUs + LINGER_US)
      await run.step(name, () => host.ping(web))
    }
  }
  return { lease, addresses: host.addresses, pages, notForUs: dropped(), stations: room.bridge.stations }
}

const roundsOf = (run: ClassRun, { startedAt, endedAt, error }: Step): number =>
  error === '' ? rounded((endedAt - startedAt) / run.roundTripUs('client', 'web'), 2) : Number.NaN

/** When the first frame passed that fits. */
function firstAt(frames: readonly FrameRecord[], protocol: string, text: RegExp, from = ''): number {
  const found = frames.find((f) => f.protocol === protocol && text.test(f.text) && (from === '' || f.from === from))
  return found === undefined ? Number.NaN : inMs(found.at)
}

function frameTable({ name, frames }: Step): Table {
  return {
    title: name,
    columns: ['ms', 'from', 'to', 'protocol', 'says', 'bytes', 'ports'],
    rows: frames.map((f) => [
      f.at < 0 ? '-' : inMs(f.at).toFixed(1),
      f.from,
      f.to,
      f.protocol,
      f.text,
      f.bytes,
      f.ports,
    ]),
  }
}

function bootClaims(step: Step, seen: Seen): Claim[] {
  const { frames } = step
  const { lease } = seen
  const dhcp = frames.filter(({ protocol }) => protocol === 'DHCP').map(({ text }) => text.split(' ')[0])
  const probes = frames.filter((f) => f.from === 'client' && f.text === `Request who-has ${lease.address} tell 0.0.0.0`)
  return [
    claimExact(
      { text: 'An address takes four messages of DHCP.', because: 'RFC 2131 §3.1' },
      dhcp.join(' '),
      'DISCOVER OFFER REQUEST ACK',
    ),
    claimExact(
      {
        text: 'The lease has the address, the router and the DNS server.',
        because: 'RFC 2132 §3.5, §3.8: options 3 and 6',
      },
      `${lease.address}/${lease.prefixLength} ${lease.routers.join(' ')} ${lease.dnsServers.join(' ')}`,
      `${CLASS_POOL[0]}/24 ${CLASS_ADDRESSES.router} ${dns}`,
    ),
    claimExact(
      {
        text: 'The client asks three times whether somebody has the address before it uses it.',
        because: 'RFC 5227 §2.1.1, RFC 2131 §4.4.1',
        unit: 'probes',
      },
      probes.length,
      3,
    ),
  ]
}

/** Each protocol's first frame, in the order in which they need one another. */
function orderClaim(all: readonly FrameRecord[]): Claim {
  const at = (protocol: string, text: RegExp): number => firstAt(all, protocol, text, 'client')
  const byName = all.slice(all.findIndex(({ protocol }) => protocol === 'DNS'))
  return claimOrder(
    {
      text: 'Each protocol waits for the one that it needs: DHCP, ARP, ICMP; DNS before the TCP of a name, TLS after TCP.',
      because: 'an address comes first, the neighbour’s Ethernet address next, then IP and all above it',
      unit: 'ms',
    },
    [
      ['DHCP', at('DHCP', /DISCOVER/)],
      ['ARP probe', at('ARP', /tell 0\.0\.0\.0/)],
      ['ARP', at('ARP', new RegExp(`who-has ${web} `))],
      ['ICMP', at('ICMP', /echo-request/)],
      ['TCP', at('TCP', /\[S\]/)],
      ['HTTP', at('HTTP', /GET/)],
      ['DNS', at('DNS', /A\?/)],
      ['TCP by name', firstAt(byName, 'TCP', /\[S\]/, 'client')],
      ['TLS', at('TLS', /client hello/)],
    ],
  )
}

function switchClaims(all: readonly FrameRecord[], steps: readonly Step[], seen: Seen): Claim[] {
  const lonely = all.filter(({ to, at }) => to !== EVERYBODY && at >= 0)
  const flooded = lonely.filter(({ ports }) => ports !== 1)
  const silent = steps.find(({ name }) => name === 'after a silence')?.frames ?? []
  return [
    claimExact(
      {
        text: 'The switch has learnt five addresses.',
        because: 'IEEE 802.1Q §8.7: one for each host',
        unit: 'stations',
      },
      seen.stations,
      5,
    ),
    claimExact(
      {
        text: 'Of all frames to one host a single one went to every port: the first after the switch had forgotten the host.',
        because: 'IEEE 802.1Q §8.6, §8.8: what is unknown is flooded, and the answer teaches',
        unit: 'frames',
        beside: [figure('frames to one host', lonely.length), figure('it left by', flooded[0]?.ports ?? 0, 'ports')],
      },
      flooded.length,
      1,
    ),
    claimTrue(
      {
        text: 'It was the ping after the silence; the three hosts that it was not for dropped it.',
        because: 'the header’s destination is another’s Ethernet address',
        beside: [figure('dropped', seen.notForUs, 'frames')],
      },
      silent.includes(flooded[0]) && flooded[0].protocol === 'ICMP' && seen.notForUs === 3,
    ),
  ]
}

function pageClaims(run: ClassRun, steps: readonly Step[], seen: Seen): Claim[] {
  const rounds = steps.map((step) => roundsOf(run, step))
  const right = seen.pages.filter(({ status, body }) => status === 200 && body === CLASS_PAGE).length
  return [
    claimExact(
      {
        text: 'The page comes by address and by name, by http and by https, over IPv4 and IPv6.',
        because: 'it is one page',
      },
      right,
      ROUNDS.filter(([name]) => name.startsWith('http')).length,
    ),
    claimExact(
      {
        text: 'Every step takes as many round trips as it has questions that wait for one another.',
        because: ROUNDS.map(([name, , why]) => `${name}: ${why}`).join('; '),
        unit: 'round trips',
      },
      rounds.join(' '),
      ROUNDS.map(([, count]) => count).join(' '),
    ),
    claimExact(
      {
        text: 'https takes one round trip more than http.',
        because: 'RFC 8446 §2: a full handshake of TLS 1.3 is one round trip (E5)',
        unit: 'round trips',
      },
      rounded(rounds[4] - rounds[2], 2),
      1,
    ),
    claimTrue(
      {
        text: 'The client has an IPv6 address of the router’s prefix, without a server.',
        because: 'RFC 4862 §5.5.3: the prefix, and the interface’s own 64 bits',
        beside: [figure('addresses', seen.addresses.join(' '))],
      },
      seen.addresses.includes(run.address6('client')),
    ),
  ]
}

/** E32: DHCP, ARP, ICMP, DNS, TCP, TLS and HTTP on one switch. */
export const classroom = defineExperiment({
  id: 'classroom',
  fact: 'E32',
  title: 'A small network, from the cable to the page',
  question: 'What happens, packet by packet, until a PC that was just plugged in shows a page?',
  read: ['RFC 2131', 'RFC 826', 'RFC 5227', 'RFC 792', 'RFC 1035', 'RFC 4862', 'RFC 8446', 'IEEE 802.1Q §8'],
  parameters: {
    delay: { default: '1ms', unit: 'time', range: ['10us', '20ms'], doc: 'of each cable, one way' },
    ageing: {
      default: '30s',
      unit: 'time',
      range: ['20s', '40s'],
      doc: 'after how long the switch forgets a station; 300 s in most switches, when ARP has forgotten it too',
    },
  },
  topology: ({ delay }) => classPlan(delay),
  figures: ['ladder'],

  async run(context, { ageing }) {
    const run = new ClassRun(context, ageing)
    const seen = await run.run(() => attend(run, ageing))
    const [boot, ...steps] = run.steps
    const all = run.steps.flatMap(({ frames }) => frames)
    return {
      claims: [
        ...bootClaims(boot, seen),
        orderClaim(all),
        ...pageClaims(run, steps, seen),
        ...switchClaims(all, steps, seen),
      ],
      tables: [
        {
          title: 'The class',
          columns: ['step', 'round trips', 'ms', 'frames', 'bytes', 'of'],
          rows: steps.map((step, i) => [
            step.name,
            roundsOf(run, step),
            inMs(step.endedAt - step.startedAt),
            step.frames.length,
            step.frames.reduce((sum, { bytes }) => sum + bytes, 0),
            step.error === '' ? ROUNDS[i][2] : `failed: ${step.error}`,
          ]),
        },
        ...run.steps.map(frameTable),
      ],
      why: [
        'A frame to a group goes to every port, one to a host that the switch has heard to its port alone.',
        'What TLS says differs from run to run (its keys are drawn by Node), and so do captures; lengths, times and all else repeat.',
      ],
    }
  },
})
