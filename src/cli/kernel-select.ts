// select and pselect as calls of the C library: struct fd_set from a script's lists and back.
// Owns: that. Does not own: the other calls (kernel-calls.ts).
// Read first: select(2).

import type { Value } from '../packetdrill/target.ts'
import type { Plan } from './kernel-plan.ts'
import { isFields, numberOf } from './kernel-structs.ts'
import { type Memory, memory, syscall } from './kernel-syscalls.ts'

/** struct fd_set holds descriptors below 1024. */
const SET_BYTES = 128

/**
 * Plans select, or pselect as the select that it is without a mask.
 * @param toMs what a unit of `fraction` is in milliseconds
 * @param wakeFd becomes readable when everything ends
 * @throws {RangeError} for a descriptor that no set holds
 */
export function selectPlan(args: readonly Value[], toMs: number, fraction: string, wakeFd: number): Plan {
  const limit = args[4]
  const ms = isFields(limit) ? numberOf(limit.tv_sec) * 1000 + numberOf(limit[fraction]) * toMs : -1
  const lists = [1, 2, 3].map((i) => (Array.isArray(args[i]) ? (args[i] as Value[]).map((fd) => numberOf(fd)) : null))
  const now = plan(args, lists, 0, -1)
  const isReady = syscall('select', ...now.args).value !== 0
  // Its own sets are used up by trying.
  return isReady || ms === 0 ? plan(args, lists, 0, -1) : plan(args, lists, ms, wakeFd)
}

function plan(args: readonly Value[], lists: readonly (readonly number[] | null)[], ms: number, wakeFd: number): Plan {
  const wakes = wakeFd >= 0
  const asked = lists.map((list, i) => (i === 0 && wakes ? [...(list ?? []), wakeFd] : list))
  const sets = asked.map((list) => (list === null ? null : setOf(list)))
  const time = memory(16)
  time.bytes.writeBigInt64LE(BigInt(Math.floor(Math.max(0, ms) / 1000)), 0)
  time.bytes.writeBigInt64LE(BigInt(Math.round((Math.max(0, ms) % 1000) * 1000)), 8)
  const most = Math.max(-1, ...asked.flatMap((list) => list ?? [])) + 1
  const numbers = [most, ...sets.map((set) => set?.address ?? 0), ms < 0 ? 0 : time.address]
  const outputs = (value: number): readonly Value[] => {
    if (value < 0) return args
    return args.map((given, i) => {
      const [list, set] = [lists[i - 1] ?? null, sets[i - 1] ?? null]
      return list === null || set === null ? given : list.filter((fd) => isIn(set, fd))
    })
  }
  const keep = [time, ...sets.filter((set) => set !== null)]
  return { name: 'select', args: numbers, blocks: wakes, outputs, keep }
}

function setOf(list: readonly number[]): Memory {
  const made = memory(SET_BYTES)
  for (const fd of list) {
    if (fd < 0 || fd >= 8 * SET_BYTES)
      throw new RangeError(`select takes descriptors below ${8 * SET_BYTES}, not ${fd}`)
    made.bytes[fd >> 3] |= 1 << (fd & 7)
  }
  return made
}

const isIn = ({ bytes }: Memory, fd: number): boolean => ((bytes[fd >> 3] >> (fd & 7)) & 1) === 1
