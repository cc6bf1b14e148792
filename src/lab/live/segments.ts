// E2 live: the same stream cut into segments by our stack and by Linux's.

import { claimExact, claimNear, claimTrue, figure } from '../claims.ts'
import { breaks, type Carried, carry, segments, sum } from '../experiments/segments.ts'
import { defineLive, type LiveContext } from '../live.ts'
import { rounded } from '../measure.ts'
import type { Claim } from '../types.ts'

interface Values extends Record<string, number> {
  readonly bytes: number
  readonly mtu: number
}

/** IPv4 and TCP with timestamps. */
const HEADERS = 52

async function measure(context: LiveContext, { bytes, mtu }: Values) {
  const [toLinux, fromLinux] = [context.linux('client'), context.linux('server')]
  const [byte, big, linuxByte, linuxBig] = await Promise.all([
    carry(toLinux, 'our byte', 1, false),
    carry(toLinux, `our ${bytes} bytes`, bytes, true),
    carry(fromLinux, 'Linux’s byte', 1, false),
    carry(fromLinux, `Linux’s ${bytes} bytes`, bytes, true),
  ])
  const expected = Math.ceil(bytes / (mtu - HEADERS))
  const fits = (carried: Carried): boolean =>
    breaks(carried.data.filter(({ isAgain }) => !isAgain)) === 0 && carried.all.every((p) => p.packetBytes <= mtu)
  const row = (name: string, text: number, { data }: Carried): (string | number)[] => [
    name,
    data.length,
    sum(data),
    rounded((100 * (sum(data) - text)) / sum(data), 1),
  ]
  return { bytes, byte, big, linuxByte, linuxBig, expected, fits, row }
}

/** What was measured, put to the test. */
function claimsOf({
  bytes,
  byte,
  big,
  linuxByte,
  linuxBig,
  expected,
  fits,
}: Awaited<ReturnType<typeof measure>>): Claim[] {
  return [
    claimExact(
      { text: 'One byte travels in a packet of 41, from us and from Linux.', because: '20 + 20 + 1', unit: 'bytes' },
      [byte, linuxByte].map(({ data }) => data[0]?.packetBytes).join(' and '),
      '41 and 41',
    ),
    claimExact(
      {
        text: 'The smallest packet is a bare acknowledgement: headers and nothing else.',
        because: 'RFC 791 §3.1 and RFC 9293 §3.1',
        unit: 'bytes',
      },
      Math.min(...byte.all.map(({ packetBytes }) => packetBytes)),
      40,
    ),
    claimNear(
      {
        text: `Our stack sends ${bytes} bytes in ceil(n / MSS) segments.`,
        because: 'RFC 9293 §3.7.1: MTU less the headers, options included',
        unit: 'segments',
      },
      big.data.length,
      expected,
      0.01,
    ),
    claimNear(
      {
        text: 'Linux does it in about as many.',
        because: 'the same; where a write ends Linux may send a short segment',
        unit: 'segments',
      },
      linuxBig.data.length,
      expected,
      0.05,
    ),
    claimTrue(
      {
        text: 'Each segment begins where the one before ended, and none is larger than the link takes.',
        because: 'RFC 9293 §3.4: every octet has a sequence number',
        beside: [big, linuxBig].map((carried, i) =>
          figure(
            i === 0 ? 'our largest packet' : 'Linux’s',
            Math.max(...carried.all.map((p) => p.packetBytes)),
            'bytes',
          ),
        ),
      },
      fits(big) && fits(linuxBig),
    ),
  ]
}

/** E2 against Linux. */
export const segmentsLive = defineLive<Values>(segments, {}, async (context, values) => {
  const measured = await measure(context, values)
  const { bytes, byte, big, linuxByte, linuxBig, row } = measured
  return {
    claims: claimsOf(measured),
    tables: [
      {
        title: 'What it takes',
        columns: ['', 'segments', 'their bytes', 'headers %'],
        rows: [
          row('our byte', 1, byte),
          row('Linux’s byte', 1, linuxByte),
          row(`our ${bytes} bytes`, bytes, big),
          row(`Linux’s ${bytes} bytes`, bytes, linuxBig),
        ],
      },
    ],
  }
})
