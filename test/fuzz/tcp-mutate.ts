// Changes to a segment: numbers near every edge that the receiver knows, flags, windows, options right and wrong, lengths, damage.
// Owns: what is changed. Does not own: the segment (tcp-draft.ts), which one and when (tcp-world.ts).

import { put32 } from '../../src/base/bytes.ts'
import { FLAG } from '../../src/tcp/header.ts'
import { isSynchronized } from '../../src/tcp/state.ts'
import type { Tcb } from '../../src/tcp/tcb.ts'
import { timestampNow } from '../../src/tcp/timestamps.ts'
import type { Dice } from './dice.ts'
import type { Draft } from './tcp-draft.ts'

const STEPS = [
  0, 0, 0, 1, -1, 2, -2, 8, 100, -100, 536, 1448, 1460, -1460, 65535, -65536, 0x40000000, 0x7fffffff,
] as const
const WINDOWS = [0, 0, 1, 2, 100, 1460, 2920, 65535] as const
const LENGTHS = [0, 0, 0, 1, 1, 2, 7, 100, 536, 1200, 1448, 1460] as const
const KINDS = [0, 1, 2, 3, 4, 5, 6, 8, 14, 19, 28, 29, 30, 34, 69, 172, 253, 254, 255] as const

/** Makes one change; `number` says which kind, the dice the rest. `victim` is the receiver's record, when it has one. */
export function mutate(draft: Draft, victim: Tcb | null, number: number, dice: Dice, now: number): void {
  switch (number % 18) {
    case 0:
      draft.flags ^= 1 << dice.below(9)
      break
    case 1:
      draft.flags = dice.below(512)
      break
    case 2:
    case 3:
      draft.seq = near(sequenceOf(draft, victim, dice), dice)
      break
    case 4:
    case 5:
      draft.ack = near(acknowledgementOf(draft, victim, dice), dice)
      break
    case 6:
      draft.window = dice.oneIn(4) ? dice.below(65536) : dice.pick(WINDOWS)
      break
    case 7:
      draft.flags |= FLAG.URG
      draft.urgent = dice.oneIn(3) ? dice.below(65536) : dice.below(3000)
      break
    case 8:
      mutateTimestamps(draft, victim, dice, now)
      break
    case 9:
    case 10:
      addSack(draft, victim, dice)
      break
    case 11:
      draft.optionBytes = dice.oneIn(2) ? 0 : 4 * dice.below(draft.optionBytes / 4 + 1)
      break
    case 12:
      addOption(draft, dice)
      break
    case 13:
      if (draft.optionBytes > 0) draft.options[dice.below(draft.optionBytes)] = dice.pick(KINDS)
      break
    case 14:
      draft.textLength = dice.oneIn(3) ? dice.below(1461) : dice.pick(LENGTHS)
      break
    case 15:
      draft.trafficClass = dice.below(4)
      break
    case 16:
      damage(draft, dice)
      break
    case 17:
      draft.flags = dice.pick([
        FLAG.RST,
        FLAG.RST | FLAG.ACK,
        FLAG.SYN,
        FLAG.SYN | FLAG.ACK,
        FLAG.FIN | FLAG.ACK,
        FLAG.ACK,
      ])
      break
  }
}

function near(edge: number, dice: Dice): number {
  return dice.oneIn(8) ? (edge + dice.below(4000) - 2000) | 0 : (edge + dice.pick(STEPS)) | 0
}

function sequenceOf(draft: Draft, victim: Tcb | null, dice: Dice): number {
  if (victim === null) return dice.oneIn(2) ? draft.seq : dice.int32()
  const { rcv } = victim
  switch (dice.below(9)) {
    case 0:
      return draft.seq
    case 1:
      return rcv.edge
    case 2:
      return rcv.irs
    case 3:
      return rcv.outOfOrder.size > 0 ? rcv.outOfOrder.start(dice.below(rcv.outOfOrder.size)) : rcv.edge
    case 4:
      return rcv.outOfOrder.size > 0 ? rcv.outOfOrder.end(dice.below(rcv.outOfOrder.size)) : rcv.nxt + 1000
    case 5:
      return rcv.finSeen ? rcv.finSeq : rcv.nxt
    case 6:
      return rcv.nxt + dice.below(Math.max(1, rcv.edge - rcv.nxt))
    default:
      return rcv.nxt
  }
}

function acknowledgementOf(draft: Draft, victim: Tcb | null, dice: Dice): number {
  if (victim === null) return dice.oneIn(2) ? draft.ack : dice.int32()
  const { snd } = victim
  switch (dice.below(8)) {
    case 0:
      return draft.ack
    case 1:
      return snd.nxt
    case 2:
      return snd.una - snd.maxWnd
    case 3:
      return snd.iss
    case 4:
    case 5:
      return flightEdge(victim, dice)
    default:
      return snd.una
  }
}

/** A number where a piece of what is in flight begins or ends. */
function flightEdge({ state, snd }: Tcb, dice: Dice): number {
  if (!isSynchronized(state) || state === 'TIME-WAIT' || snd.flight.size === 0) return snd.una
  const entry = snd.flight.at(dice.below(snd.flight.size))
  return dice.oneIn(2) ? entry.start : entry.end
}

function mutateTimestamps(draft: Draft, victim: Tcb | null, dice: Dice, now: number): void {
  let at = draft.findOption(8)
  if (at < 0) {
    draft.addOption(8, 0, 0, 0, 0, 0, 0, 0, 0)
    at = draft.findOption(8)
    if (at < 0) return
  }
  const steps = [0, 1, -1, 10, -10, 1000, -1000, 0x7fffffff, -0x7fffffff, dice.int32()]
  const recent = victim === null ? dice.int32() : victim.ts.recent
  const clock = victim === null ? dice.int32() : timestampNow(victim, now)
  if (!dice.oneIn(3)) put32(draft.options, at + 2, recent + dice.pick(steps))
  if (!dice.oneIn(3)) put32(draft.options, at + 6, dice.oneIn(4) ? 0 : clock + dice.pick(steps))
}

/** SACK blocks: pieces of what is in flight, crumbs of them, reversed ones, old ones (DSACK), and some that were never sent. */
function addSack(draft: Draft, victim: Tcb | null, dice: Dice): void {
  const blocks = 1 + dice.below(4)
  const body: number[] = []
  for (let i = 0; i < 2 * blocks; i++) {
    const edge =
      victim === null ? dice.int32() : dice.oneIn(3) ? near(flightEdge(victim, dice), dice) : between(victim, dice)
    body.push(edge)
  }
  if (dice.below(4) > 0) {
    for (let i = 0; i < body.length; i += 2) {
      if (((body[i + 1] - body[i]) | 0) < 0) [body[i], body[i + 1]] = [body[i + 1], body[i]]
    }
  }
  const old = draft.findOption(5)
  if (old >= 0) draft.optionBytes = old
  const bytes = new Uint8Array(4 * body.length)
  for (let i = 0; i < body.length; i++) put32(bytes, 4 * i, body[i])
  const most = Math.max(0, Math.floor((40 - draft.optionBytes - 2) / 8) * 8)
  draft.addOption(5, ...bytes.subarray(0, Math.min(bytes.length, most)))
}

function between({ snd }: Tcb, dice: Dice): number {
  return snd.una + dice.below(1 + Math.max(0, (snd.nxt - snd.una) | 0))
}

function addOption(draft: Draft, dice: Dice): void {
  switch (dice.below(9)) {
    case 0:
      draft.addOption(2, dice.below(8), dice.below(256))
      break
    case 1:
      draft.addOption(3, dice.oneIn(2) ? dice.below(16) : dice.below(256))
      break
    case 2:
      draft.addOption(4)
      break
    case 3:
      draft.addOption(34, ...Array.from({ length: 2 * dice.below(9) }, () => dice.below(256)))
      break
    case 4:
      draft.addOption(28, dice.below(256), dice.below(256))
      break
    case 5:
      draft.addOption(19, ...new Uint8Array(16))
      break
    case 6:
      draft.options[draft.optionBytes] = dice.pick(KINDS)
      draft.options[draft.optionBytes + 1] = dice.below(45)
      draft.optionBytes = Math.min(40, draft.optionBytes + 2)
      break
    default:
      draft.addOption(dice.pick(KINDS), ...Array.from({ length: dice.below(20) }, () => dice.below(256)))
  }
}

function damage(draft: Draft, dice: Dice): void {
  switch (dice.below(4)) {
    case 0:
      draft.isChecksumWrong = true
      break
    case 1:
      draft.offsetError = dice.below(16)
      break
    case 2:
      draft.cutBytes = 1 + dice.below(dice.oneIn(2) ? 60 : 1500)
      break
    default:
      draft.isPoisoned = true
  }
}
