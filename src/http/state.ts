// The life of one HTTP/1.1 connection as two state machines, the client's and the server's, that watch each other.
// Owns: the tables and MessageState, the only place that assigns a state. Does not own: bytes, bodies, when to close a
// socket.
// Read first: RFC 9112 §9.3 (persistence), §9.6 (tear-down), RFC 9110 §7.8 (Upgrade), §9.3.6 (CONNECT).
//
//   client  idle --request--> send-body --end--> done --(both done, keep-alive)--> idle
//   server  idle --(request)--> send-response --response--> send-body --end--> done --> idle
//   without keep-alive `done` becomes `must-close`, and `closed` follows.
import { localError, type ProtocolError, remoteError } from './errors.ts'
import type { EventType } from './events.ts'

/** Which end of the connection. */
export type Role = 'client' | 'server'

/** What the client is doing. `might-switch`: its request proposed another protocol and it waits for the answer. */
export type ClientState =
  | 'idle'
  | 'send-body'
  | 'done'
  | 'might-switch'
  | 'switched'
  | 'must-close'
  | 'closed'
  | 'error'

/** What the server is doing. */
export type ServerState =
  | 'idle'
  | 'send-response'
  | 'send-body'
  | 'done'
  | 'switched'
  | 'must-close'
  | 'closed'
  | 'error'

/** Another protocol that a request asks for. */
export type SwitchKind = 'connect' | 'upgrade'

type Row<S> = Readonly<Partial<Record<EventType, S>>>

/** What the client may send in each state, and the state after it. */
export const CLIENT_TABLE: Readonly<Record<ClientState, Row<ClientState>>> = {
  idle: { request: 'send-body', closed: 'closed' },
  'send-body': { data: 'send-body', end: 'done' },
  done: { closed: 'closed' },
  'might-switch': { closed: 'closed' },
  switched: {},
  'must-close': { closed: 'closed' },
  closed: { closed: 'closed' },
  error: {},
}

/**
 * What the server may send in each state, and the state after it. An `idle` server may answer early (408 to no
 * request).
 */
export const SERVER_TABLE: Readonly<Record<ServerState, Row<ServerState>>> = {
  idle: { response: 'send-body', closed: 'closed' },
  'send-response': { informational: 'send-response', response: 'send-body' },
  'send-body': { data: 'send-body', end: 'done' },
  done: { closed: 'closed' },
  switched: {},
  'must-close': { closed: 'closed' },
  closed: { closed: 'closed' },
  error: {},
}

/** What one side's state does to the other: [client, server, side that changes, its new state]. */
export const JOINT_TABLE: readonly (readonly [ClientState, ServerState, Role, 'must-close'])[] = [
  // A side that will hear nothing more, or nothing sensible, has nothing more to say.
  ['closed', 'done', 'server', 'must-close'],
  ['closed', 'idle', 'server', 'must-close'],
  ['error', 'done', 'server', 'must-close'],
  ['done', 'closed', 'client', 'must-close'],
  ['idle', 'closed', 'client', 'must-close'],
  ['done', 'error', 'client', 'must-close'],
]

/** States without which no row of the joint table applies. */
const OVER: ReadonlySet<ClientState | ServerState> = new Set(['closed', 'error'])

/** The states of both sides. */
export class MessageState {
  #client: ClientState = 'idle'
  #server: ServerState = 'idle'
  #keepAlive = true
  #proposals = new Set<SwitchKind>()

  /** The client's side. */
  get client(): ClientState {
    return this.#client
  }

  /** The server's side. */
  get server(): ServerState {
    return this.#server
  }

  /** Whether the connection may serve another request after this one. */
  get keepAlive(): boolean {
    return this.#keepAlive
  }

  /** The protocols that the current request proposed. */
  get proposals(): ReadonlySet<SwitchKind> {
    return this.#proposals
  }

  /** Notes what the request proposes; call just before its event. */
  propose(kind: SwitchKind): void {
    this.#proposals.add(kind)
  }

  /** From now on the connection closes after the current exchange. */
  disableKeepAlive(): void {
    this.#keepAlive = false
    this.#settle()
  }

  /** Whether `role` may send `type` now. */
  allows(role: Role, type: EventType): boolean {
    return (role === 'client' ? CLIENT_TABLE[this.#client] : SERVER_TABLE[this.#server])[type] !== undefined
  }

  /**
   * Moves both machines by an event of `role`.
   * @param switchTo the protocol that a server's response switches to
   * @throws {ProtocolError} when the event is not allowed now; `side` as given by `local`
   */
  process(role: Role, type: EventType, local: boolean, switchTo: SwitchKind | null = null): void {
    if (switchTo !== null) {
      if (!this.#proposals.has(switchTo))
        throw blame(local, 'unexpected-switch', `a switch (${switchTo}) nobody asked for`)
      this.#server = 'switched'
    } else if (role === 'client') {
      const next = CLIENT_TABLE[this.#client][type]
      if (next === undefined)
        throw blame(local, 'unexpected-event', `a client may not send '${type}' in state ${this.#client}`)
      this.#client = next
      if (type === 'request') this.#server = 'send-response'
    } else {
      const next = SERVER_TABLE[this.#server][type]
      if (next === undefined)
        throw blame(local, 'unexpected-event', `a server may not send '${type}' in state ${this.#server}`)
      // A final answer of the old protocol: the proposals are declined.
      if (type === 'response') this.#proposals.clear()
      this.#server = next
    }
    this.#settle()
  }

  /** `role` broke the rules: nothing more comes from it. */
  fail(role: Role): void {
    this.#keepAlive = false
    if (role === 'client') this.#client = 'error'
    else this.#server = 'error'
    this.#settle()
  }

  /**
   * Begins the next exchange on the same connection.
   * @throws {ProtocolError} local, unless both sides are done and keep-alive holds
   */
  startNextCycle(): void {
    if (this.#client !== 'done' || this.#server !== 'done' || !this.#keepAlive) {
      throw localError(
        'unexpected-event',
        `no next exchange while the client is ${this.#client}, the server ${this.#server}`,
      )
    }
    this.#client = 'idle'
    this.#server = 'idle'
  }

  #settle(): void {
    if (this.#proposals.size > 0 && this.#client === 'done') this.#client = 'might-switch'
    if (this.#client === 'might-switch') {
      if (this.#server === 'switched') this.#client = 'switched'
      else if (this.#proposals.size === 0) this.#client = 'done'
    }
    if (!this.#keepAlive) {
      if (this.#client === 'done') this.#client = 'must-close'
      if (this.#server === 'done') this.#server = 'must-close'
    }
    if (!OVER.has(this.#client) && !OVER.has(this.#server)) return
    for (const [client, server, side, next] of JOINT_TABLE) {
      if (this.#client !== client || this.#server !== server) continue
      if (side === 'client') this.#client = next
      else this.#server = next
    }
  }
}

function blame(local: boolean, reason: 'unexpected-switch' | 'unexpected-event', message: string): ProtocolError {
  return local ? localError(reason, message) : remoteError(400, reason, message)
}
