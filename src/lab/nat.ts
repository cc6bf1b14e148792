// Address translation (RFC 3022) for a node of a world: hosts behind it share one address, connections are told apart by ports.
// Owns: the table, the rewriting of IPv4 and TCP headers with their checksums. Does not own: passing on (forwarder.ts).
// Read first: RFC 3022 §2.2 (ports are translated too), RFC 1624 §3 (a checksum brought up to date).

import { PROTOCOL } from '../ip/header.ts'
import type { Packet } from '../link/device.ts'
import type { Rewrite } from './forwarder.ts'

const FIRST_PORT = 20_000
const IP_CHECKSUM = 10
const TCP_CHECKSUM = 16

/** Puts two octets at `at`, and brings the checksums at `sums` up to date: HC' = ~(~HC + ~m + m') (RFC 1624 §3). */
function change(view: DataView, at: number, value: number, sums: readonly number[]): void {
  const before = view.getUint16(at)
  view.setUint16(at, value)
  for (const where of sums) {
    const sum = (~view.getUint16(where) & 0xffff) + (~before & 0xffff) + value
    const folded = (sum & 0xffff) + (sum >>> 16)
    view.setUint16(where, ~((folded & 0xffff) + (folded >>> 16)) & 0xffff)
  }
}

const word = (address: string): number => address.split('.').reduce((all, part) => all * 256 + Number(part), 0)

/** Translates TCP from the hosts `inside` to `outside`, both IPv4 addresses as text, and back; all else passes as it is. */
export function translate(inside: readonly string[], outside: string): Rewrite {
  const own = new Set(inside.map(word))
  const shared = word(outside)
  const ports = new Map<number, number>() // address and port inside, as one number, to the port outside
  const owners = new Map<number, number>()
  return ({ bytes, start, end }: Packet): boolean => {
    const view = new DataView(bytes.buffer, bytes.byteOffset + start, end - start)
    if (view.getUint8(0) >>> 4 !== 4 || view.getUint8(9) !== PROTOCOL.TCP) return true
    const tcp = 4 * (view.getUint8(0) & 0x0f)
    const put = (addressAt: number, address: number, portAt: number, port: number): void => {
      const both = [IP_CHECKSUM, tcp + TCP_CHECKSUM]
      change(view, addressAt, address >>> 16, both)
      change(view, addressAt + 2, address & 0xffff, both)
      change(view, portAt, port, both.slice(1))
    }
    const source = view.getUint32(12)
    if (own.has(source)) {
      const key = source * 65536 + view.getUint16(tcp)
      let port = ports.get(key)
      if (port === undefined) {
        port = FIRST_PORT + ports.size
        ports.set(key, port)
        owners.set(port, key)
      }
      put(12, shared, tcp, port)
    } else if (view.getUint32(16) === shared) {
      const key = owners.get(view.getUint16(tcp + 2))
      if (key === undefined) return false
      put(16, Math.floor(key / 65536), tcp + 2, key % 65536)
    }
    return true
  }
}
