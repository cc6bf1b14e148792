// The state of an endpoint that we cannot look into, told from the segments that it sent and that reach it. Exact as long as every
// segment arrives; after a loss it is what the endpoint would be in if the segment had arrived.

import { FLAG } from '../tcp/header.ts'
import type { State } from '../tcp/state.ts'

/** What of a segment moves an endpoint's state. */
export interface StateClue {
  readonly flags: number
  /** Whether its acknowledgement covers the FIN of the endpoint that receives it. */
  readonly acksFin: boolean
}

/** The state of an endpoint after it has sent a segment. */
export function stateAfterSending(state: State, { flags }: StateClue): State {
  if ((flags & FLAG.RST) !== 0) return 'CLOSED'
  if ((flags & FLAG.SYN) !== 0) return (flags & FLAG.ACK) !== 0 ? 'SYN-RECEIVED' : 'SYN-SENT'
  if ((flags & FLAG.FIN) !== 0) {
    if (state === 'ESTABLISHED' || state === 'SYN-RECEIVED') return 'FIN-WAIT-1'
    if (state === 'CLOSE-WAIT') return 'LAST-ACK'
  }
  return state
}

/** The state of an endpoint once a segment has reached it. */
export function stateAfterReceiving(state: State, { flags, acksFin }: StateClue): State {
  if ((flags & FLAG.RST) !== 0) return state === 'LISTEN' ? 'LISTEN' : 'CLOSED'
  const fin = (flags & FLAG.FIN) !== 0
  switch (state) {
    case 'SYN-SENT':
      if ((flags & FLAG.SYN) === 0) return state
      return (flags & FLAG.ACK) !== 0 ? 'ESTABLISHED' : 'SYN-RECEIVED'
    case 'SYN-RECEIVED':
      if ((flags & FLAG.ACK) === 0) return state
      return fin ? 'CLOSE-WAIT' : 'ESTABLISHED'
    case 'ESTABLISHED':
      return fin ? 'CLOSE-WAIT' : state
    case 'FIN-WAIT-1':
      if (fin) return acksFin ? 'TIME-WAIT' : 'CLOSING'
      return acksFin ? 'FIN-WAIT-2' : state
    case 'FIN-WAIT-2':
      return fin ? 'TIME-WAIT' : state
    case 'CLOSING':
      return acksFin ? 'TIME-WAIT' : state
    case 'LAST-ACK':
      return acksFin ? 'CLOSED' : state
    default:
      return state
  }
}
