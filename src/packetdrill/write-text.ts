// What a write hands to the stack, as tcp_sendmsg does it. Owns: in which pieces. Does not own: what there is room for (tcp/linux-send.ts).

import type { Connection } from '../stack/index.ts'
import { isLinuxSend, linuxCapacity } from '../tcp/linux-send.ts'
import type { Host } from './host.ts'

/**
 * Writes as much of `rest` as there is room for; returns how much that is. Each super-segment goes when it is full, and then there is room
 * to look for again; what fits as it is goes when all is written.
 */
export function writeText(host: Host, connection: Connection, rest: Uint8Array, more: boolean): number {
  const { tcb } = connection
  const isMarked = connection.unsentBytes + rest.length > tcb.config.notSentLowWaterBytes
  const isAll = isLinuxSend(tcb) && !isMarked && rest.length <= linuxCapacity(tcb)
  let done = 0
  for (;;) {
    const room = connection.writableBytes
    if (room === 0 || done + room >= rest.length) return done + connection.write(rest.subarray(done), room > 0 && more)
    const taken = connection.write(rest.subarray(done, done + room), true)
    if (taken === 0) return done
    done += taken
    if (!isAll) host.transmit()
  }
}
