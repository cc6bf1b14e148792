// E2: a stream is cut into segments, and each of them is carried in an IP packet with 20 + 20 bytes of headers at least.

import { claimExact, claimTrue, figure } from '../claims.ts'
import { defineExperiment } from '../define.ts'
import type { Worlds } from '../live.ts'
import { dataFrom, rounded } from '../measure.ts'
import type { PacketRecord } from '../record.ts'
import { pairOf } from '../topology.ts'
import type { Claim } from '../types.ts'

const IP_BYTES = 20
const TCP_BYTES = 20
/** The timestamps option, padded to 32 bits (RFC 7323 §A). */
const TIMESTAMP_BYTES = 12

/** The packets of one stream. */
export interface Carried {
  readonly data: readonly PacketRecord[]
  readonly all: readonly PacketRecord[]
}

/** Sends so many bytes over a connection of its own. */
export async function carry(context: Worlds, label: string, bytes: number, timestamps: boolean): Promise<Carried> {
  const world = context.world({ label, tcp: { timestamps } })
  await world.run(async () => {
    let come = 0
    let done = (): void => undefined
    const all = new Promise<void>((resolve) => {
      done = resolve
    })
    await world.listen('client', 9, (socket) => {
      socket.on('data', (chunk: Uint8Array) => {
        come += chunk.length
        if (come === bytes) done()
      })
    })
    const socket = await world.connect('server', 'client', 9)
    socket.write(new Uint8Array(bytes))
    await all
  })
  const record = world.record()
  return { data: dataFrom(record, 'server'), all: record.packets }
}

/** Bytes of packets together. */
export const sum = (packets: readonly PacketRecord[]): number =>
  packets.reduce((total, { packetBytes }) => total + packetBytes, 0)

/** Whether each segment begins where the one before ended. */
export const breaks = (data: readonly PacketRecord[]): number =>
  data.filter((p, i) => i > 0 && p.seq !== data[i - 1].seq + data[i - 1].textBytes).length

/** What was measured, put to the test. */
function claimsOf({
  byte,
  big,
  bytes,
  mtu,
  mss,
  expected,
}: {
  readonly byte: Carried
  readonly big: Carried
  readonly bytes: number
  readonly mtu: number
  readonly mss: number
  readonly expected: number
}): Claim[] {
  const headers = IP_BYTES + TCP_BYTES + TIMESTAMP_BYTES
  const share = (carried: Carried, text: number): number =>
    rounded((100 * (sum(carried.data) - text)) / sum(carried.data), 1)
  const because = 'IPv4 and TCP have 20 bytes of header each, timestamps 12 more'
  return [
    claimExact(
      {
        text: 'One byte travels in a packet of 41.',
        because: 'RFC 791 §3.1 and RFC 9293 §3.1: 20 + 20 without options',
        unit: 'bytes',
      },
      byte.data.length === 1 ? byte.data[0].packetBytes : -1,
      IP_BYTES + TCP_BYTES + 1,
    ),
    claimExact(
      {
        text: 'The smallest packet of all is a bare acknowledgement: headers and nothing else.',
        because: 'the same',
        unit: 'bytes',
      },
      Math.min(...byte.all.map(({ packetBytes }) => packetBytes)),
      IP_BYTES + TCP_BYTES,
    ),
    claimExact(
      {
        text: `${bytes} bytes take ceil(n / MSS) segments, with an MSS of ${mss}.`,
        because: 'RFC 9293 §3.7.1: MTU less the headers, options included',
        unit: 'segments',
      },
      big.data.length,
      expected,
    ),
    claimExact(
      {
        text: 'Of the one byte nearly all is headers, of the long stream hardly anything.',
        because,
        unit: '% of headers',
      },
      `${share(byte, 1)} and ${share(big, bytes)}`,
      `${rounded((100 * 40) / 41, 1)} and ${rounded((100 * headers * expected) / (headers * expected + bytes), 1)}`,
    ),
    claimTrue(
      {
        text: 'Each segment begins where the one before ended, and none is larger than the link takes.',
        because: 'RFC 9293 §3.4: every octet has a sequence number',
        beside: [
          figure('breaks', breaks(big.data)),
          figure('largest packet', Math.max(...big.all.map((p) => p.packetBytes)), 'bytes'),
        ],
      },
      breaks(big.data) === 0 && big.all.every(({ packetBytes }) => packetBytes <= mtu),
    ),
  ]
}

/** E2: one byte and a megabyte, in packets. */
export const segments = defineExperiment({
  id: 'segments',
  fact: 'E2',
  title: 'A stream in segments, segments in packets',
  question: 'How many packets carry one byte, and how many a megabyte, and how much of them is headers?',
  read: ['RFC 9293 §3.1', 'RFC 791 §3.1', 'RFC 9293 §3.7.1'],
  parameters: {
    bytes: { default: '1000000', unit: 'bytes', range: ['1', '2mb'], doc: 'the larger of the two streams' },
    mtu: { default: '1500', unit: 'count', range: ['576', '9000'], doc: 'largest packet of the link' },
  },
  topology: ({ mtu }) => pairOf({ delay: '10ms', rate: '100mbit', mtu }),
  figures: ['time-sequence', 'throughput', 'ladder'],

  async run(context, { bytes, mtu }) {
    const byte = await carry(context, 'one byte', 1, false)
    const big = await carry(context, `${bytes} bytes`, bytes, true)
    const mss = mtu - IP_BYTES - TCP_BYTES - TIMESTAMP_BYTES
    const expected = Math.ceil(bytes / mss)
    const share = (carried: Carried, text: number): number =>
      rounded((100 * (sum(carried.data) - text)) / sum(carried.data), 1)
    const row = (name: string, text: number, { data, all }: Carried): (string | number)[] => [
      name,
      data.length,
      sum(data),
      share({ data, all }, text),
      all.length,
      sum(all),
    ]
    return {
      claims: claimsOf({ byte, big, bytes, mtu, mss, expected }),
      tables: [
        {
          title: 'What it takes',
          columns: ['', 'segments', 'their bytes', 'headers %', 'packets both ways', 'bytes both ways'],
          rows: [row('1 byte', 1, byte), row(`${bytes} bytes`, bytes, big)],
        },
      ],
    }
  },
})
