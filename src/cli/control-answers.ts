// What a running instance tells of itself: sockets, addresses, routes, neighbours, interfaces, counters, as plain records for JSON.
// Owns: the records. Does not own: the socket (control-server.ts), printing (ss-format.ts, ip.ts, nstat.ts).

import type { Micros } from '../base/time.ts'
import type { IpAddress } from '../ip/address.ts'
import type { DeviceCounters, PacketDevice } from '../link/device.ts'
import type { Host } from '../net/index.ts'
import type { Connection, TcpInfo } from '../stack/index.ts'
import { Router } from '../stack/index.ts'
import type { ControlCalls } from './control-server.ts'
import { counterRecord } from './counter-record.ts'
import { packageVersion } from './version.ts'

/** A socket of either protocol, as `ss` shows it. */
export interface SocketRecord {
  readonly protocol: 'tcp' | 'udp'
  /** As ss spells it: ESTAB, LISTEN, UNCONN, TIME-WAIT. */
  readonly state: string
  readonly local: string
  readonly localPort: number
  /** null: anybody. */
  readonly remote: string | null
  readonly remotePort: number
  readonly receiveBytes: number
  readonly sendBytes: number
  readonly memory: SocketMemory
  readonly timer: { readonly name: string; readonly leftUs: Micros; readonly retransmits: number } | null
  /** Of a connection: tcp_info, and what is known in milliseconds ago. */
  readonly info: (TcpInfo & Ages) | null
  /** Counts sockets of this instance; the same as long as it lasts. */
  readonly id: number
}

interface Ages {
  readonly tcpi_last_data_sent: number
  readonly tcpi_last_data_recv: number
  readonly tcpi_last_ack_recv: number
}

/** ss's skmem. */
export interface SocketMemory {
  readonly received: number
  readonly receiveBuffer: number
  readonly sendBuffer: number
  readonly queued: number
  readonly drops: number
}

/** An own address. */
export interface AddressRecord {
  readonly address: string
  readonly family: 4 | 6
  readonly prefixLength: number
  readonly device: string
  readonly isDeprecated: boolean
}

/** A route. */
export interface RouteRecord {
  readonly family: 4 | 6
  readonly destination: string
  readonly prefixLength: number
  readonly gateway: string | null
  readonly source: string | null
  readonly metric: number
  readonly device: string
  readonly isConnected: boolean
}

/** A neighbour. */
export interface NeighbourRecord {
  readonly address: string
  readonly family: 4 | 6
  readonly linkAddress: string | null
  readonly state: string
  readonly isRouter: boolean
  readonly device: string
}

/** An interface. */
export interface LinkRecord {
  readonly name: string
  readonly mtu: number
  readonly counters: DeviceCounters
}

/** Who answers. */
export interface InstanceRecord {
  readonly pid: number
  readonly version: string
  readonly command: string
}

const STATES: Readonly<Record<string, string>> = {
  ESTABLISHED: 'ESTAB',
  'SYN-RECEIVED': 'SYN-RECV',
  CLOSED: 'UNCONN',
}

/** Everything that can be asked of a host. */
export function controlCalls(host: Host, device: PacketDevice, command: string): ControlCalls {
  const ids = new WeakMap<object, number>()
  let next = 1
  const idOf = (of: object): number => {
    const id = ids.get(of) ?? next++
    ids.set(of, id)
    return id
  }
  const { stack } = host
  const { ip } = stack
  const ports = device instanceof Router ? device.ports : [device]
  const nameOf = (port = 0): string => ports[port]?.name ?? device.name
  return {
    instance: (): InstanceRecord => ({ pid: process.pid, version: packageVersion(), command }),
    sockets: (): SocketRecord[] => socketRecords(host, idOf),
    addresses: (): AddressRecord[] =>
      ip.addresses.map(({ address, prefixLength, port, isDeprecated = false }) => ({
        address: address.toString(),
        family: address.family,
        prefixLength,
        device: nameOf(port),
        isDeprecated,
      })),
    routes: (): RouteRecord[] =>
      ip.routes.entries.map(({ destination, prefixLength, gateway, source, metric = 0, port, isConnected = false }) => {
        const own = isConnected
          ? ip.addresses.find(({ address }) => address.inPrefix(destination, prefixLength))
          : undefined
        return {
          family: destination.family,
          destination: networkOf(destination, prefixLength),
          prefixLength,
          gateway: textOf(gateway),
          source: textOf(source ?? own?.address),
          metric,
          device: nameOf(port),
          isConnected,
        }
      }),
    neighbours: (): NeighbourRecord[] =>
      (stack.neighbours?.neighbours() ?? []).map(({ address, linkAddress, state, isRouter, device: of }) => ({
        address: address.toString(),
        family: address.family,
        linkAddress,
        state,
        isRouter,
        device: of ?? device.name,
      })),
    links: (): LinkRecord[] => ports.map(({ name, mtu, counters }) => ({ name, mtu, counters: { ...counters } })),
    counters: (): Record<string, number> => counterRecord(host, device),
  }
}

const textOf = (address: IpAddress | undefined): string | null => address?.toString() ?? null

/** The first address of a prefix. */
function networkOf(address: IpAddress, prefixLength: number): string {
  const network = address.clone()
  const bits = address.family === 4 ? prefixLength + 96 : prefixLength
  const mask = (word: number, from: number): number => {
    const kept = Math.min(32, Math.max(0, bits - from))
    return kept === 0 ? 0 : word & (-1 << (32 - kept))
  }
  network.w0 = mask(network.w0, 0)
  network.w1 = mask(network.w1, 32)
  network.w2 = mask(network.w2, 64)
  network.w3 = mask(network.w3, 96)
  return network.toString()
}

function socketRecords(host: Host, idOf: (of: object) => number): SocketRecord[] {
  const { tcp, udp } = host.stack
  const all: SocketRecord[] = []
  for (const socket of udp.sockets()) {
    all.push({
      protocol: 'udp',
      state: socket.remote === null ? 'UNCONN' : 'ESTAB',
      local: socket.local?.toString() ?? (socket.families === 4 ? '0.0.0.0' : socket.families === 6 ? '[::]' : '*'),
      localPort: socket.port,
      remote: textOf(socket.remote ?? undefined),
      remotePort: socket.remotePort,
      receiveBytes: socket.waitingBytes,
      sendBytes: 0,
      memory: {
        ...NO_MEMORY,
        received: socket.waitingBytes,
        receiveBuffer: socket.receiveBufferBytes,
        drops: socket.dropped,
      },
      timer: null,
      info: null,
      id: idOf(socket),
    })
  }
  for (const listener of tcp.ports.listeners()) {
    all.push({
      protocol: 'tcp',
      state: 'LISTEN',
      local: listener.address?.toString() ?? '*',
      localPort: listener.port,
      remote: null,
      remotePort: 0,
      receiveBytes: listener.pending,
      sendBytes: listener.backlog,
      memory: {
        ...NO_MEMORY,
        receiveBuffer: listener.config.receiveBufferBytes,
        sendBuffer: listener.config.sendBufferBytes,
      },
      timer: null,
      info: null,
      id: idOf(listener),
    })
  }
  for (const connection of tcp.connections())
    all.push(connectionRecord(connection, host.scheduler.now(), idOf(connection)))
  return all
}

const NO_MEMORY: SocketMemory = { received: 0, receiveBuffer: 0, sendBuffer: 0, queued: 0, drops: 0 }

function connectionRecord(connection: Connection, now: Micros, id: number): SocketRecord {
  const { tcb } = connection
  const info = connection.info()
  const ago = (at: Micros): number => Math.max(0, Math.floor((now - Math.max(0, at)) / 1000))
  return {
    protocol: 'tcp',
    state: STATES[connection.state] ?? connection.state,
    local: connection.local.toString(),
    localPort: connection.localPort,
    remote: connection.remote.toString(),
    remotePort: connection.remotePort,
    receiveBytes: connection.readableBytes,
    sendBytes: connection.unsentBytes + connection.unackedBytes,
    memory: {
      received: connection.readableBytes,
      receiveBuffer: info.tcpi_rcv_space,
      sendBuffer: info.sendBufferBytes,
      queued: connection.unsentBytes + connection.unackedBytes,
      drops: 0,
    },
    timer: timerOf(connection, now),
    info: {
      ...info,
      tcpi_last_data_sent: ago(tcb.sentAt),
      tcpi_last_data_recv: ago(tcb.ack.textAt),
      tcpi_last_ack_recv: ago(tcb.heardAt),
    },
    id,
  }
}

/** The timer that ss shows with -o, by its names. */
function timerOf({ tcb }: Connection, now: Micros): SocketRecord['timer'] {
  const { retransmit, persist, keepAlive, linger, lossProbe, reorder } = tcb.timers
  const one = (name: string, at: Micros, retransmits: number): SocketRecord['timer'] => ({
    name,
    leftUs: Math.max(0, at - now),
    retransmits,
  })
  const sending = Math.min(retransmit, lossProbe, reorder)
  if (sending !== Number.POSITIVE_INFINITY) return one('on', sending, tcb.rtt.timeouts)
  if (persist !== Number.POSITIVE_INFINITY) return one('persist', persist, tcb.windowProbes)
  if (linger !== Number.POSITIVE_INFINITY) return one('timewait', linger, 0)
  return keepAlive === Number.POSITIVE_INFINITY ? null : one('keepalive', keepAlive, tcb.probes)
}
