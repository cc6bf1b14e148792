// What must hold of one host's TCP as a whole between any two steps: its table, its timers, its queues, and what its connections hold in
// memory. Run in tests and simulations; never in production. Owns: the accounts that span connections. Does not own: what must hold of one
// connection (invariants.ts).

import { assert } from '../base/assert.ts'
import type { Deadlines } from '../base/deadlines.ts'
import type { Micros } from '../base/time.ts'
import type { Connection } from './connection.ts'
import type { Demux } from './demux.ts'
import { checkInvariants } from './invariants.ts'
import type { Listener } from './listener.ts'
import type { TimeWaits } from './time-wait.ts'
import { nextDeadline } from './timers.ts'
import type { DirtyQueue, EventQueue } from './work.ts'

/** The lists of a TcpLayer. */
export type LayerLists = readonly [
  demux: Demux,
  deadlines: Deadlines<Connection>,
  timeWaits: TimeWaits,
  dirty: DirtyQueue<Connection>,
  eventful: EventQueue<Connection | Listener>,
]

/** Checks a host between two steps, when all that was to be sent has been polled. @throws {InvariantError} naming what does not hold */
export function checkLayer(lists: LayerLists, listeners: Iterable<Listener>): void {
  const [demux, deadlines, timeWaits, dirty] = lists
  assert(dirty.first(true) === null, 'a connection has something to send that was not polled')
  let count = 0
  let armed = 0
  let closing = 0
  const waiting = new Map<unknown, number>()
  for (const connection of demux) {
    const { tcb, listener } = connection
    count++
    if (connection.heapIndex >= 0) armed++
    if (tcb.state === 'TIME-WAIT') closing++
    if (listener !== null) waiting.set(listener, (waiting.get(listener) ?? 0) + 1)
    checkInvariants(tcb)
    checkEntry(connection)
    assert(
      demux.find(tcb.local, tcb.localPort, tcb.remote, tcb.remotePort) === connection,
      'the table hides a connection',
    )
  }
  assert(count === demux.size, 'the table counts its connections wrongly')
  assert(armed === deadlines.size, 'a timer belongs to no connection')
  assert(closing === timeWaits.size, 'the list of TIME-WAIT is not the connections in TIME-WAIT')
  for (const listener of listeners) {
    const own = waiting.get(listener) ?? 0
    assert(listener.pending + listener.halfOpen >= own, 'a connection waits for a listener that does not know it')
    if (listener.isClosed) assert(listener.pending + listener.halfOpen === 0, 'a closed listener keeps connections')
  }
}

/** Checks that a host with nothing left to do keeps nothing. @throws {InvariantError} */
export function checkIdle(lists: LayerLists, next: Micros): void {
  const [demux, deadlines, timeWaits, dirty, eventful] = lists
  assert(demux.size === 0, 'a connection is left')
  assert(deadlines.size === 0 && next === Number.POSITIVE_INFINITY, 'a timer is left')
  assert(timeWaits.size === 0, 'the list of TIME-WAIT has somebody left')
  assert(dirty.first(true) === null, 'somebody still has something to send')
  assert(eventful.isEmpty, 'somebody still has something to tell')
}

/** One connection in the lists, and what it holds in memory. */
function checkEntry(connection: Connection): void {
  const { tcb } = connection
  const { snd, rcv } = tcb
  assert(tcb.state !== 'CLOSED', 'a closed connection stands in the table')
  assert(!connection.isDirty, 'a connection is marked as having something to send, and does not stand in the queue')
  assert(connection.deadline === nextDeadline(tcb), 'a deadline is not that of the timers')
  assert(
    connection.deadline === Number.POSITIVE_INFINITY || connection.heapIndex >= 0,
    'a deadline that nobody waits for',
  )
  assert(connection.heapIndex < 0 || connection.heapAt <= connection.deadline, 'a deadline comes up too late')
  const held = rcv.discard ? 0 : rcv.unread
  const most = Math.max(
    tcb.config.receiveBufferMaxBytes,
    tcb.config.receiveBufferBytes,
    (rcv.edge - rcv.nxt + held) | 0,
  )
  assert(rcv.buffer.extent <= most, 'the receive buffer holds more than its bound')
  assert(rcv.recentRanges.length <= 64, 'more ranges are remembered than can be told')
  if (tcb.state === 'TIME-WAIT') assert(snd.buffer.extent === 0, 'text is kept that nobody will ask for')
}
