// Buffers in pieces and messages: struct iovec, msghdr, cmsghdr.
// Owns: writing them from a script's values, reading back what the kernel filled in. Does not own: other structs (kernel-structs.ts).
// Read first: recvmsg(2), cmsg(3).

import { CONSTANTS } from '../packetdrill/constants.ts'
import type { Value } from '../packetdrill/target.ts'
import { type Fields, field, isFields, numberOf, readSockaddr, SOCKADDR_BYTES, sockaddr } from './kernel-structs.ts'
import { type Memory, memory } from './kernel-syscalls.ts'

const MSGHDR_BYTES = 56
const CMSG_HEADER_BYTES = 16
const CONTROL_BYTES = 1024
const SOL_SOCKET = 1
const SCM_TIMESTAMPING = [37, 65] // by its old and new numbers
const SCM_TIMESTAMPING_OPT_STATS = 54
const IP_RECVERR: readonly string[] = ['0:11', '41:25']

/** struct iovec over memory of its own; each piece is `{iov_base, iov_len}`, or the two as a list. `keep` gets what has to live. */
export function ioVector(
  value: Value | undefined,
  keep: Memory[],
): { readonly address: number; readonly count: number } {
  const pieces = Array.isArray(value) ? (value as Value[]) : []
  const vector = memory(16 * pieces.length)
  keep.push(vector)
  for (const [i, piece] of pieces.entries()) {
    const length = isFields(piece)
      ? numberOf(field(piece, 'iov_len'))
      : Array.isArray(piece)
        ? numberOf((piece as Value[])[1])
        : numberOf(piece)
    const data = memory(length)
    keep.push(data)
    vector.bytes.writeBigUInt64LE(BigInt(data.address), 16 * i)
    vector.bytes.writeBigUInt64LE(BigInt(length), 16 * i + 8)
  }
  return { address: vector.address, count: pieces.length }
}

/** A message for sendmsg, or the room for one of recvmsg. */
export interface Message {
  readonly address: number
  /** What recvmsg has filled in, in the script's struct. */
  read(): Value
}

/** Makes struct msghdr. @throws {TypeError} for an address that is none */
export function message(
  value: Value | undefined,
  isSend: boolean,
  family: 4 | 6,
  remote: string,
  keep: Memory[],
  epochUs = 0,
): Message {
  const fields: Fields = isFields(value) ? value : {}
  const header = memory(MSGHDR_BYTES)
  keep.push(header)
  const { bytes } = header
  const name = field(fields, 'msg_name')
  const nameRoom = isSend ? (isFields(name) ? sockaddr(name, family, remote) : null) : memory(SOCKADDR_BYTES)
  if (nameRoom !== null && (name !== undefined || !isSend)) {
    keep.push(nameRoom)
    bytes.writeBigUInt64LE(BigInt(nameRoom.address), 0)
    bytes.writeUInt32LE('length' in nameRoom ? Number(nameRoom.length) : SOCKADDR_BYTES, 8)
  }
  const vector = ioVector(field(fields, 'msg_iov'), keep)
  bytes.writeBigUInt64LE(BigInt(vector.address), 16)
  bytes.writeBigUInt64LE(BigInt(vector.count), 24)
  const given = field(fields, 'msg_control')
  const control = isSend ? writeControl(given) : memory(CONTROL_BYTES)
  const controlBytes = isSend ? control.bytes.length : CONTROL_BYTES
  keep.push(control)
  if (!isSend || Array.isArray(given)) {
    bytes.writeBigUInt64LE(BigInt(control.address), 32)
    bytes.writeBigUInt64LE(BigInt(controlBytes), 40)
  }
  bytes.writeInt32LE(numberOf(field(fields, 'msg_flags')), 48)
  const read = (): Value => {
    const result: Record<string, Value> = { ...fields, msg_flags: bytes.readInt32LE(48) }
    result.msg_control = readControl(control.bytes.subarray(0, Number(bytes.readBigUInt64LE(40))), epochUs)
    if (nameRoom !== null && bytes.readUInt32LE(8) > 0) result.msg_name = readSockaddr(nameRoom.bytes)
    return result
  }
  return { address: header.address, read }
}

function writeControl(value: Value | undefined): Memory {
  const list = Array.isArray(value) ? (value as Value[]).filter(isFields) : []
  const made = memory(24 * list.length)
  for (const [i, one] of list.entries()) {
    made.bytes.writeBigUInt64LE(BigInt(CMSG_HEADER_BYTES + 4), 24 * i)
    made.bytes.writeInt32LE(numberOf(field(one, 'cmsg_level')), 24 * i + 8)
    made.bytes.writeInt32LE(numberOf(field(one, 'cmsg_type')), 24 * i + 12)
    made.bytes.writeInt32LE(numberOf(field(one, 'cmsg_data')) | 0, 24 * i + 16)
  }
  return made
}

function readControl(bytes: Buffer, epochUs: number): Value[] {
  const list: Value[] = []
  let at = 0
  while (at + CMSG_HEADER_BYTES <= bytes.length) {
    const length = Number(bytes.readBigUInt64LE(at))
    if (length < CMSG_HEADER_BYTES || at + length > bytes.length) break
    const level = bytes.readInt32LE(at + 8)
    const type = bytes.readInt32LE(at + 12)
    const data = controlData(level, type, bytes.subarray(at + CMSG_HEADER_BYTES, at + length), epochUs)
    list.push({ cmsg_level: level, cmsg_type: type, cmsg_data: data })
    at += (length + 7) & ~7
  }
  return list
}

/** Netlink's attributes, by their names: each of 1, 4 or 8 octets. */
function readStats(data: Buffer): Value {
  const stats: Record<string, Value> = {}
  for (let at = 0; at + 4 <= data.length; ) {
    const [length, type] = [data.readUInt16LE(at), data.readUInt16LE(at + 2)]
    if (length < 4 || at + length > data.length) break
    const value = data.subarray(at + 4, at + length)
    const name = Object.keys(CONSTANTS).find((one) => one.startsWith('TCP_NLA_') && CONSTANTS[one] === type)
    if (name !== undefined && type !== 0)
      stats[name] =
        value.length >= 8 ? Number(value.readBigUInt64LE(0)) : value.length >= 4 ? value.readUInt32LE(0) : value[0]
    at += (length + 3) & ~3
  }
  return stats
}

function controlData(level: number, type: number, data: Buffer, epochUs: number): Value {
  if (level === SOL_SOCKET && SCM_TIMESTAMPING.includes(type) && data.length >= 16) {
    const us = Number(data.readBigInt64LE(0)) * 1e6 + Math.round(Number(data.readBigInt64LE(8)) / 1000) - epochUs
    return { scm_sec: Math.floor(us / 1e6), scm_nsec: (((us % 1e6) + 1e6) % 1e6) * 1000 }
  }
  if (level === SOL_SOCKET && type === SCM_TIMESTAMPING_OPT_STATS) return readStats(data)
  if (IP_RECVERR.includes(`${level}:${type}`) && data.length >= 16) {
    const [ee_origin, ee_type, ee_code] = data.subarray(4)
    const [ee_errno, ee_info, ee_data] = [data.readUInt32LE(0), data.readUInt32LE(8), data.readUInt32LE(12)]
    return { ee_errno, ee_origin, ee_type, ee_code, ee_info, ee_data }
  }
  return data.length >= 4 ? data.readInt32LE(0) : (data[0] ?? 0)
}
