// The small worlds: what the two applications do, what may go wrong, and with which settings each is searched.
// Owns: the list. Does not own: what steps and faults mean (world.ts).

import type { TcpConfig } from '../../src/tcp/config.ts'
import type { WorldSpec } from './world.ts'

/** Settings that a world is searched with, by name. */
export const CONFIGS: Readonly<Record<string, Partial<TcpConfig>>> = {
  plain: {},
  sack: { sack: true },
  timestamps: { timestamps: true },
  modern: { sack: true, timestamps: true, windowScale: true },
  delayed: { delayedAckUs: 40_000 },
  accurate: { ecn: 'accurate', timestamps: true, sack: true },
  adaptive: { delayedAck: 'adaptive', delayedAckUs: 40_000, sack: true, timestamps: true, nagle: true },
}

const WRAP = [
  [-2, 900_000],
  [2 ** 31 - 2, -(2 ** 31) + 900_000],
] as const
/** For worlds that are large. */
const FEW = ['plain', 'modern'] as const
const OPEN = ['connect'] as const
const TAKE = ['listen', 'accept'] as const
const ABORTED = ['ECONNRESET', 'ECONNREFUSED', 'EPIPE']

/** All worlds. */
export const WORLDS: readonly WorldSpec[] = [
  {
    name: 'open-close-a',
    about: 'A opens, an octet each way, A closes first',
    steps: [
      [...OPEN, 'write 1', 'shutdown'],
      [...TAKE, 'write 1', 'shutdown@ended'],
    ],
    isn: WRAP,
    most: 2,
  },
  {
    name: 'open-close-b',
    about: 'A opens, an octet each way, B closes first',
    steps: [
      [...OPEN, 'write 1', 'shutdown@ended'],
      [...TAKE, 'write 1', 'shutdown'],
    ],
    most: 2,
  },
  {
    name: 'open-close-any',
    about: 'both close whenever they like: one after the other, or at the same time',
    steps: [
      [...OPEN, 'write 1', 'shutdown'],
      [...TAKE, 'write 1', 'shutdown'],
    ],
    isn: WRAP,
    most: 2,
  },
  {
    name: 'bare',
    about: 'open and close, no text',
    steps: [
      [...OPEN, 'shutdown'],
      [...TAKE, 'shutdown'],
    ],
    most: 3,
  },
  {
    name: 'lossy',
    about: 'an octet each way, whoever closes first; packets are lost, and nothing else',
    steps: [
      [...OPEN, 'write 1', 'shutdown'],
      [...TAKE, 'write 1', 'shutdown@ended'],
    ],
    faults: ['lose'],
    most: 3,
  },
  {
    name: 'lossy-bare',
    about: 'open and close; packets are lost, and nothing else',
    steps: [
      [...OPEN, 'shutdown'],
      [...TAKE, 'shutdown'],
    ],
    faults: ['lose'],
    most: 4,
  },
  {
    name: 'lossy-several',
    about: 'A sends three segments; packets are lost, or overtaken',
    steps: [
      [...OPEN, 'write 1@open', 'write 1', 'write 1', 'shutdown'],
      [...TAKE, 'shutdown@ended'],
    ],
    faults: ['lose', 'hold'],
    most: 2,
  },
  {
    name: 'crossed',
    about: 'both open to each other and close, no text',
    steps: [
      [...OPEN, 'shutdown'],
      [...OPEN, 'shutdown'],
    ],
    errors: ['ECONNREFUSED', 'ECONNRESET'],
    most: 2,
  },
  {
    name: 'deferred',
    about: 'the listener waits for text before it gives a connection away',
    tcp: { deferAcceptUs: 1_500_000 },
    steps: [
      [...OPEN, 'write 1', 'shutdown'],
      [...TAKE, 'write 1', 'shutdown'],
    ],
    configs: FEW,
    most: 1,
  },
  {
    name: 'linger',
    about: 'both close and wait for the end of it',
    tcp: { lingerUs: 1_000_000 },
    steps: [
      [...OPEN, 'write 1', 'close@1'],
      [...TAKE, 'write 1', 'close@1'],
    ],
    errors: ABORTED,
    mayWait: true,
    most: 1,
  },
  {
    name: 'half-close',
    about: 'A closes its half, then B sends text, in two pieces',
    steps: [
      [...OPEN, 'shutdown'],
      [...TAKE, 'write 1@ended', 'write 1', 'shutdown'],
    ],
    most: 2,
  },
  {
    name: 'several',
    about: 'A sends three segments',
    steps: [
      [...OPEN, 'write 1@open', 'write 1', 'write 1', 'shutdown'],
      [...TAKE, 'shutdown@ended'],
    ],
    isn: WRAP,
    gathers: true,
    most: 2,
  },
  {
    name: 'simultaneous-open',
    about: 'both open to each other',
    steps: [
      [...OPEN, 'write 1', 'shutdown'],
      [...OPEN, 'write 1', 'shutdown'],
    ],
    errors: ['ECONNREFUSED', 'ECONNRESET'],
    configs: FEW,
    most: 1,
  },
  {
    name: 'simultaneous-close',
    about: 'both close once they have read the other',
    steps: [
      [...OPEN, 'write 1', 'shutdown@1'],
      [...TAKE, 'write 1', 'shutdown@1'],
    ],
    gathers: true,
    most: 2,
  },
  {
    name: 'abort',
    about: 'either may abort at any point',
    steps: [
      [...OPEN, 'write 1', 'close'],
      [...TAKE, 'write 1', 'close'],
    ],
    aborts: [0, 1],
    errors: ABORTED,
    mayWait: true,
    configs: FEW,
    most: 1,
  },
  {
    name: 'close-fully',
    about: 'A closes both directions while B may still send',
    steps: [
      [...OPEN, 'write 1', 'close'],
      [...TAKE, 'write 1', 'close'],
    ],
    errors: ABORTED,
    mayWait: true,
    most: 2,
  },
  {
    name: 'close-unread',
    about: 'B closes with text that it has not read',
    steps: [
      [...OPEN, 'write 2', 'close'],
      [...TAKE, 'read 1', 'close'],
    ],
    errors: ABORTED,
    mayWait: true,
    most: 2,
  },
  {
    name: 'unlisten',
    about: 'the listener closes in the middle of the handshake, or after it',
    steps: [
      [...OPEN, 'write 1', 'close'],
      ['listen', 'unlisten'],
    ],
    errors: ABORTED,
    most: 2,
  },
  {
    name: 'fast-open',
    about: 'the second connection carries text with its SYN, and is answered with text',
    tcp: { fastOpen: true },
    steps: [
      ['connect', 'shutdown', 'connect', 'write 1', 'shutdown'],
      ['listen', 'accept', 'shutdown', 'accept', 'write 1', 'shutdown'],
    ],
    isn: [
      [1000, 900_000],
      [5000, 1_900_000],
    ],
    errors: ABORTED,
    mayWait: true,
    configs: FEW,
    most: 1,
  },
  {
    name: 'cookies',
    about: 'the listener keeps nothing of a SYN',
    tcp: { synCookies: 'always' },
    steps: [
      [...OPEN, 'write 1', 'shutdown'],
      [...TAKE, 'write 1', 'shutdown'],
    ],
    mayWait: true,
    most: 2,
  },
  {
    name: 'again',
    about: 'the same four values again after TIME-WAIT, with numbers beyond the old ones',
    steps: [
      ['connect', 'write 1', 'shutdown', 'connect', 'write 1', 'shutdown'],
      ['listen', 'accept', 'shutdown@ended', 'accept', 'shutdown@ended'],
    ],
    isn: [
      [1000, 900_000],
      [5000, 1_900_000],
    ],
    errors: ABORTED,
    mayWait: true,
    faults: ['hold', 'copy'],
    most: 2,
  },
  {
    name: 'again-paws',
    about: 'the same four values again with the same numbers: only timestamps tell old text from new (RFC 7323 §5)',
    tcp: { timestamps: true },
    steps: [
      ['connect', 'write 1', 'shutdown', 'connect', 'write 1', 'shutdown'],
      ['listen', 'accept', 'shutdown@ended', 'accept', 'shutdown@ended'],
    ],
    isn: [
      [1000, 999],
      [5000, 4999],
    ],
    errors: ABORTED,
    mayWait: true,
    faults: ['hold', 'copy'],
    most: 2,
  },
  {
    name: 'reopen',
    about: 'B closes first and a SYN of A opens the connection anew out of TIME-WAIT',
    steps: [
      ['connect', 'shutdown@ended', 'connect', 'write 1', 'shutdown'],
      ['listen', 'accept', 'shutdown', 'accept', 'shutdown@ended'],
    ],
    isn: [
      [1000, 900_000],
      [5000, 1_900_000],
    ],
    errors: ABORTED,
    mayWait: true,
    most: 2,
  },
  {
    name: 'zero-window',
    about: 'B has room for two octets and reads late',
    tcp: { receiveBufferBytes: 2, maxRtoUs: 1_000_000 },
    steps: [
      [...OPEN, 'write 3', 'shutdown'],
      [...TAKE, 'read 1', 'read 1', 'read 1', 'shutdown@ended'],
    ],
    configs: FEW,
    most: 1,
  },
  {
    name: 'blind',
    about: 'a stranger guesses: resets, SYNs, text and acknowledgements in the window (RFC 5961)',
    steps: [
      [...OPEN, 'write 1', 'shutdown'],
      [...TAKE, 'write 1', 'shutdown'],
    ],
    injections: ([0, 1] as const).flatMap((to) =>
      (['blind-reset', 'blind-syn', 'blind-text', 'future-ack'] as const).map((what) => ({ to, what })),
    ),
    injected: 1,
    configs: FEW,
    most: 1,
  },
  {
    name: 'reset',
    about: 'a reset with the very number comes out of nowhere',
    steps: [
      [...OPEN, 'write 1', 'close'],
      [...TAKE, 'write 1', 'close'],
    ],
    injections: ([0, 1] as const).map((to) => ({ to, what: 'exact-reset' as const })),
    injected: 1,
    errors: ABORTED,
    mayWait: true,
    most: 1,
  },
]
