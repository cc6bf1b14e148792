// The two state tables and how they act on each other.
import { describe, expect, it } from 'vitest'
import { ProtocolError } from '../../src/http/errors.ts'
import type { EventType } from '../../src/http/events.ts'
import {
  CLIENT_TABLE,
  type ClientState,
  MessageState,
  type Role,
  SERVER_TABLE,
  type ServerState,
} from '../../src/http/state.ts'

const EVENTS: EventType[] = ['request', 'informational', 'response', 'data', 'end', 'closed']

/** Runs `role:event` steps. */
function stepped(...steps: `${Role}:${EventType}`[]): MessageState {
  const state = new MessageState()
  for (const step of steps) {
    const [role, type] = step.split(':') as [Role, EventType]
    state.process(role, type, true)
  }
  return state
}

describe('the tables', () => {
  const clientWays: Record<ClientState, () => MessageState> = {
    idle: () => stepped(),
    'send-body': () => stepped('client:request'),
    done: () => stepped('client:request', 'client:end'),
    'might-switch': () => {
      const state = new MessageState()
      state.propose('upgrade')
      state.process('client', 'request', true)
      state.process('client', 'end', true)
      return state
    },
    switched: () => {
      const state = clientWays['might-switch']()
      state.process('server', 'informational', true, 'upgrade')
      return state
    },
    'must-close': () => {
      const state = stepped('client:request', 'client:end')
      state.disableKeepAlive()
      return state
    },
    closed: () => stepped('client:closed'),
    error: () => {
      const state = stepped()
      state.fail('client')
      return state
    },
  }

  for (const name of Object.keys(clientWays) as ClientState[]) {
    for (const event of EVENTS) {
      const next = CLIENT_TABLE[name][event]
      it(`a client that is ${name} ${next === undefined ? 'may not send' : 'sends'} ${event} (RFC 9112 §9)`, () => {
        const state = clientWays[name]()
        expect(state.client).toBe(name)
        expect(state.allows('client', event)).toBe(next !== undefined)
        if (next === undefined) expect(() => state.process('client', event, true)).toThrow(ProtocolError)
        else {
          state.process('client', event, true)
          expect(state.client).toBe(next)
        }
      })
    }
  }

  const serverWays: Record<Exclude<ServerState, 'switched'>, () => MessageState> = {
    idle: () => stepped(),
    'send-response': () => stepped('client:request'),
    'send-body': () => stepped('client:request', 'server:response'),
    done: () => stepped('client:request', 'server:response', 'server:end'),
    'must-close': () => stepped('client:closed'),
    closed: () => stepped('server:closed'),
    error: () => {
      const state = stepped()
      state.fail('server')
      return state
    },
  }

  for (const name of Object.keys(serverWays) as (keyof typeof serverWays)[]) {
    for (const event of EVENTS) {
      const next = SERVER_TABLE[name][event]
      it(`a server that is ${name} ${next === undefined ? 'may not send' : 'sends'} ${event} (RFC 9112 §9)`, () => {
        const state = serverWays[name]()
        expect(state.server).toBe(name)
        if (next === undefined) expect(() => state.process('server', event, true)).toThrow(ProtocolError)
        else {
          state.process('server', event, true)
          expect(state.server).toBe(next)
        }
      })
    }
  }
})

describe('the two together', () => {
  it('a kept connection goes back to idle when both are done (RFC 9112 §9.3)', () => {
    const state = stepped('client:request', 'client:end', 'server:response', 'server:data', 'server:end')
    state.startNextCycle()
    expect([state.client, state.server]).toEqual(['idle', 'idle'])
  })

  it('the next cycle does not begin before both are done', () => {
    expect(() => stepped('client:request', 'client:end').startNextCycle()).toThrow(ProtocolError)
    expect(() => stepped('client:request', 'server:response', 'server:end').startNextCycle()).toThrow(ProtocolError)
  })

  it('without keep-alive both must close (RFC 9112 §9.6)', () => {
    const state = stepped('client:request', 'client:end', 'server:response', 'server:end')
    state.disableKeepAlive()
    expect([state.client, state.server]).toEqual(['must-close', 'must-close'])
    expect(() => state.startNextCycle()).toThrow(ProtocolError)
  })

  it('a client that has closed leaves its server to answer and then close', () => {
    const state = stepped('client:request', 'client:end', 'client:closed')
    expect(state.server).toBe('send-response')
    state.process('server', 'response', true)
    state.process('server', 'end', true)
    expect(state.server).toBe('must-close')
  })

  it('a malformed request may still be answered, once (RFC 9112 §2.2)', () => {
    const state = stepped()
    state.fail('client')
    state.process('server', 'response', true)
    state.process('server', 'end', true)
    expect(state.server).toBe('must-close')
  })

  it('a proposal is declined by an ordinary answer and taken by 101 (RFC 9110 §7.8)', () => {
    const proposed = (): MessageState => {
      const state = new MessageState()
      state.propose('upgrade')
      state.process('client', 'request', true)
      state.process('client', 'end', true)
      return state
    }
    const declined = proposed()
    declined.process('server', 'response', true)
    declined.process('server', 'end', true)
    declined.startNextCycle()
    const taken = proposed()
    taken.process('server', 'informational', true, 'upgrade')
    expect([taken.client, taken.server]).toEqual(['switched', 'switched'])
  })

  it('a switch that nobody asked for is an error of whoever sent it', () => {
    const state = stepped('client:request', 'client:end')
    expect(() => state.process('server', 'informational', false, 'upgrade')).toThrow(
      expect.objectContaining({ side: 'remote', reason: 'unexpected-switch' }),
    )
  })
})
