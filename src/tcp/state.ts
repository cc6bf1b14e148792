// The eleven states of RFC 9293 §3.3.2 and figure 5 as a table. The only file that assigns `tcb.state`: a transition that the figure
// does not have is a bug here and trips an assertion.
//
// CLOSED stands at both ends of the figure: every connection starts there and its record is dropped there.

import { assert } from '../base/assert.ts'

/** Connection states as RFC 9293 spells them. */
export type State =
  | 'CLOSED'
  | 'LISTEN'
  | 'SYN-SENT'
  | 'SYN-RECEIVED'
  | 'ESTABLISHED'
  | 'FIN-WAIT-1'
  | 'FIN-WAIT-2'
  | 'CLOSE-WAIT'
  | 'CLOSING'
  | 'LAST-ACK'
  | 'TIME-WAIT'

/**
 * Figure 5: from each state, where it leads and by what. Every state also leads to CLOSED, by a reset, an abort or a timeout.
 * LISTEN is held by a Listener, not by a connection; a connection made from one starts in CLOSED and goes to SYN-RECEIVED.
 */
export const TRANSITIONS: Readonly<Record<State, Partial<Record<State, string>>>> = {
  CLOSED: { 'SYN-SENT': 'active OPEN / snd SYN', 'SYN-RECEIVED': 'rcv SYN in LISTEN / snd SYN,ACK' },
  LISTEN: { 'SYN-RECEIVED': 'rcv SYN / snd SYN,ACK', 'SYN-SENT': 'SEND / snd SYN' },
  'SYN-SENT': { ESTABLISHED: 'rcv SYN,ACK / snd ACK', 'SYN-RECEIVED': 'rcv SYN / snd SYN,ACK' },
  'SYN-RECEIVED': { ESTABLISHED: 'rcv ACK of SYN', 'FIN-WAIT-1': 'CLOSE / snd FIN', 'CLOSE-WAIT': 'rcv FIN / snd ACK' },
  ESTABLISHED: { 'FIN-WAIT-1': 'CLOSE / snd FIN', 'CLOSE-WAIT': 'rcv FIN / snd ACK' },
  'FIN-WAIT-1': {
    'FIN-WAIT-2': 'rcv ACK of FIN',
    CLOSING: 'rcv FIN / snd ACK',
    'TIME-WAIT': 'rcv FIN with ACK of FIN / snd ACK',
  },
  'FIN-WAIT-2': { 'TIME-WAIT': 'rcv FIN / snd ACK' },
  'CLOSE-WAIT': { 'LAST-ACK': 'CLOSE / snd FIN' },
  CLOSING: { 'TIME-WAIT': 'rcv ACK of FIN' },
  'LAST-ACK': { CLOSED: 'rcv ACK of FIN' },
  'TIME-WAIT': { CLOSED: 'timeout 2MSL' },
}

/** Whether figure 5 leads from one state to the other (CLOSED is reached from everywhere). */
export function canTransition(from: State, to: State): boolean {
  return to === 'CLOSED' || TRANSITIONS[from][to] !== undefined
}

/** What is counted of the changes of state. */
export interface StateCounters {
  TcpAttemptFails: number
  TcpEstabResets: number
  TcpCurrEstab: number
  TcpExtTW: number
}

/** What has a state: a connection's record. */
export interface Stateful {
  state: State
  readonly counters: StateCounters
  /** Told of every change, when set. */
  readonly onState: ((from: State, to: State) => void) | null
}

/** Moves a connection to another state and tells whoever watches. */
export function setState(tcb: Stateful, to: State): void {
  const from = tcb.state
  if (from === to) return
  if (!canTransition(from, to)) assert(false, `no transition from ${from} to ${to} in RFC 9293 figure 5`)
  tcb.state = to
  countChange(tcb.counters, from, to)
  if (tcb.onState !== null) tcb.onState(from, to)
}

const isCurrent = (state: State): boolean => state === 'ESTABLISHED' || state === 'CLOSE-WAIT'

/** RFC 4022: tcpAttemptFails, tcpEstabResets, tcpCurrEstab. */
function countChange(counters: StateCounters, from: State, to: State): void {
  if (isCurrent(to) && !isCurrent(from)) counters.TcpCurrEstab++
  if (isCurrent(from) && !isCurrent(to)) counters.TcpCurrEstab--
  if (to === 'TIME-WAIT') counters.TcpExtTW++
  if (to !== 'CLOSED') return
  if (isCurrent(from)) counters.TcpEstabResets++
  if (from === 'SYN-SENT' || from === 'SYN-RECEIVED') counters.TcpAttemptFails++
}

/** ESTABLISHED and later: the handshake is done on this side. */
export function isSynchronized(state: State): boolean {
  return state !== 'CLOSED' && state !== 'LISTEN' && state !== 'SYN-SENT' && state !== 'SYN-RECEIVED'
}

/** Whether the application may still hand over bytes to send. */
export function canSend(state: State): boolean {
  return state === 'SYN-SENT' || state === 'SYN-RECEIVED' || state === 'ESTABLISHED' || state === 'CLOSE-WAIT'
}

/** Whether text from the peer is still taken (RFC 9293 §3.10.7.4, seventh check). */
export function canReceive(state: State): boolean {
  return state === 'ESTABLISHED' || state === 'FIN-WAIT-1' || state === 'FIN-WAIT-2'
}
