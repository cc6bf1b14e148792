// Makes faults happen to what a host sends: a device around its device.
// Owns: telling which packet is which (the third data segment, the ACK that opens the window), doing what the fault says.
// Does not own: the words (faults.ts), loss by chance (wiring.ts).

import type { Scheduler } from '../base/time.ts'
import type { Packet, PacketDevice } from '../link/device.ts'
import { DeviceWrapper } from '../link/device-wrapper.ts'
import { FLAG } from '../tcp/header.ts'
import { type Seq, seqLt } from '../tcp/seq.ts'
import { ParsedPacket } from '../trace/packet-line.ts'
import { type Fault, type FaultTarget, formatFault, isStruck } from './faults.ts'

/** Options of withFaults. */
export interface FaultOptions {
  readonly host: string
  readonly faults: readonly Fault[]
  readonly scheduler: Scheduler
  /** Told of each packet that a fault happened to; `isLost` when it goes no further. */
  readonly onFault: (packet: Packet, text: string, isLost: boolean) => void
}

/** What is remembered of one direction of a connection. */
interface Flow {
  /** One past the highest sequence number sent. */
  end: Seq
  window: number
}

/** Says of each packet of a host what kinds of packet it is. */
class Kinds {
  readonly #flows = new Map<string, Flow>()
  readonly #parsed = new ParsedPacket()

  of(packet: Packet): FaultTarget[] {
    const kinds: FaultTarget[] = ['packet']
    const { ip, tcp } = this.#parsed
    if (this.#parsed.parse(packet) !== 'ok' || this.#parsed.kind !== 'tcp') return kinds
    const key = `${ip.src}.${tcp.sourcePort} ${ip.dst}.${tcp.destinationPort}`
    const isSyn = (tcp.flags & FLAG.SYN) !== 0
    const end = ((tcp.seq + tcp.length) | 0) as Seq
    const known = this.#flows.get(key)
    const isFresh = known === undefined || (isSyn && tcp.seq !== ((known.end - 1) | 0))
    const flow = isFresh ? { end: tcp.seq, window: -1 } : known
    if (isFresh) this.#flows.set(key, flow)
    const isAgain = tcp.length > 0 && seqLt(tcp.seq, flow.end)
    if (isSyn) kinds.push((tcp.flags & FLAG.ACK) !== 0 ? 'syn-ack' : 'syn')
    if ((tcp.flags & FLAG.FIN) !== 0) kinds.push('fin')
    if ((tcp.flags & FLAG.RST) !== 0) kinds.push('rst')
    if (tcp.textLength > 0) kinds.push(isAgain ? 'retransmission' : 'data')
    const isBareAck = tcp.length === 0 && (tcp.flags & (FLAG.ACK | FLAG.RST)) === FLAG.ACK
    if (isBareAck) kinds.push('ack')
    if (isBareAck && flow.window === 0 && tcp.window > 0) kinds.push('window-update')
    flow.window = tcp.window
    if (seqLt(flow.end, end)) flow.end = end
    return kinds
  }
}

/** Wraps a host's device; without a fault for this host it is returned as it is. */
export function withFaults(device: PacketDevice, options: FaultOptions): PacketDevice {
  const faults = options.faults.filter(({ from }) => from === '' || from === options.host)
  return faults.length === 0 ? device : new FaultDevice(device, { ...options, faults })
}

class FaultDevice extends DeviceWrapper {
  readonly #options: FaultOptions
  readonly #kinds = new Kinds()
  readonly #counts: number[]

  constructor(device: PacketDevice, options: FaultOptions) {
    super(device)
    this.#options = options
    this.#counts = options.faults.map(() => 0)
  }

  override send(packet: Packet): boolean {
    const fault = this.#strike(packet)
    if (fault === null) return this.below.send(packet)
    const { onFault } = this.#options
    const text = formatFault(fault)
    onFault(packet, text, fault.action === 'drop')
    if (fault.action === 'drop') return true
    if (fault.action === 'delay') {
      this.#later(packet.clone(), fault.byUs)
      return true
    }
    if (fault.action === 'duplicate') {
      const isSent = this.below.send(packet)
      this.#later(packet.clone(), fault.byUs)
      return isSent
    }
    const damaged = packet.clone()
    damaged.bytes[damaged.end - 1] ^= 0x01 // its checksum will not fit any more
    return this.below.send(damaged)
  }

  /** The first fault that happens to this packet; every fault counts on, whatever another has done. */
  #strike(packet: Packet): Fault | null {
    const kinds = this.#kinds.of(packet)
    let struck: Fault | null = null
    for (const [i, fault] of this.#options.faults.entries()) {
      if (!kinds.includes(fault.target)) continue
      this.#counts[i]++
      if (struck === null && isStruck(fault, this.#counts[i])) struck = fault
    }
    return struck
  }

  #later(packet: Packet, byUs: number): void {
    const { scheduler } = this.#options
    scheduler.schedule(scheduler.now() + byUs, () => {
      if (this.isClosed) return
      this.below.send(packet)
      this.below.flush()
    })
  }
}
