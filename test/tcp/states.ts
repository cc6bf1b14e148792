// Ways into each of the eleven states of RFC 9293 §3.3.2, for the tests that run through all of them.

import type { State } from '../../src/tcp/state.ts'
import { connecting, established, listening, Script, type ScriptOptions } from './script.ts'

/** A script in a state, and the relative numbers that its next segments turn on. */
export interface InState {
  readonly c: Script
  /** RCV.NXT, SND.NXT and SND.UNA. */
  readonly rcvNxt: number
  readonly sndNxt: number
  readonly sndUna: number
}

/** All states, in the order of RFC 9293 §3.3.2. */
export const STATES: readonly State[] = [
  'CLOSED',
  'LISTEN',
  'SYN-SENT',
  'SYN-RECEIVED',
  'ESTABLISHED',
  'FIN-WAIT-1',
  'FIN-WAIT-2',
  'CLOSE-WAIT',
  'CLOSING',
  'LAST-ACK',
  'TIME-WAIT',
]

/** Brings a script into a state by the shortest way; SYN-RECEIVED through a passive open. */
export function inState(state: State, options: ScriptOptions = {}): InState {
  const at = (c: Script, rcvNxt: number, sndNxt: number, sndUna: number): InState => ({ c, rcvNxt, sndNxt, sndUna })
  switch (state) {
    case 'CLOSED':
      return at(new Script(options), 0, 1, 0)
    case 'LISTEN':
      return at(listening(options), 0, 1, 0)
    case 'SYN-SENT':
      return at(connecting(options), 0, 1, 0)
    case 'SYN-RECEIVED': {
      const c = listening(options)
      return at(c.in(`S 0 ${c.synOptions()}`).out('S. 0 ack 1'), 1, 1, 0)
    }
    case 'ESTABLISHED':
      return at(established(options), 1, 1, 1)
    default:
      return afterEstablished(state, established(options))
  }
}

function afterEstablished(state: State, c: Script): InState {
  const at = (rcvNxt: number, sndNxt: number, sndUna: number): InState => ({ c, rcvNxt, sndNxt, sndUna })
  if (state === 'CLOSE-WAIT' || state === 'LAST-ACK') {
    c.in('F. 1 ack 1').out('. 1 ack 2')
    if (state === 'CLOSE-WAIT') return at(2, 1, 1)
    c.call((connection) => connection.shutdownWrite()).out('F. 1 ack 2')
    return at(2, 2, 1)
  }
  c.call((connection) => connection.shutdownWrite()).out('F. 1 ack 1')
  if (state === 'FIN-WAIT-1') return at(1, 2, 1)
  if (state === 'CLOSING') {
    c.in('F. 1 ack 1').out('. 2 ack 2')
    return at(2, 2, 1)
  }
  c.in('. 1 ack 2').quiet()
  if (state === 'FIN-WAIT-2') return at(1, 2, 2)
  c.in('F. 1 ack 2').out('. 2 ack 2')
  return at(2, 2, 2)
}
