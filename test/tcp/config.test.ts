// The settings of a connection: defaults, bounds, errors; the states' table; the vocabulary of errors.

import { expect, test } from 'vitest'
import { InvariantError } from '../../src/base/assert.ts'
import { DEFAULT_CONFIG, KNOBS, type TcpConfig, tcpConfig } from '../../src/tcp/config.ts'
import { congestionControl, registerCongestionControl, reno } from '../../src/tcp/congestion/index.ts'
import { TcpError } from '../../src/tcp/errors.ts'
import {
  canReceive,
  canSend,
  canTransition,
  isSynchronized,
  type State,
  setState,
  TRANSITIONS,
} from '../../src/tcp/state.ts'
import { established, scenario } from './script.ts'
import { STATES } from './states.ts'

const numbers = Object.entries(KNOBS).filter(([, knob]) => typeof knob.default === 'number') as [
  keyof TcpConfig,
  { default: number; least: number; most: number },
][]

test('every number has bounds, its default lies within, and both bounds are allowed', () => {
  for (const [name, { default: value, least, most }] of numbers) {
    expect(value >= least && value <= most, name).toBe(true)
    expect(tcpConfig({ [name]: least })[name]).toBe(least)
    expect(tcpConfig({ [name]: most })[name]).toBe(most)
  }
})

test('a choice is one of those there are; the error names them', () => {
  for (const synCookies of ['never', 'pressure', 'always'] as const)
    expect(tcpConfig({ synCookies })).toMatchObject({ synCookies })
  expect(() => tcpConfig({ synCookies: 'sometimes' as never })).toThrow(/synCookies.*pressure, never, always/)
  expect(() => tcpConfig({ synCookies: 1 as never })).toThrow(TypeError)
})

test('a number outside its bounds is a RangeError that names the setting', () => {
  for (const [name, { least, most }] of numbers) {
    const bad = [least - 1, Number.NaN, Number.NEGATIVE_INFINITY]
    if (most < Number.POSITIVE_INFINITY) bad.push(most + 1, Number.POSITIVE_INFINITY)
    for (const value of bad) expect(() => tcpConfig({ [name]: value }), `${name} ${value}`).toThrow(name)
    for (const value of bad) expect(() => tcpConfig({ [name]: value })).toThrow(RangeError)
  }
})

test('sizes and counts are whole numbers', () => {
  for (const name of ['mss', 'sendBufferBytes', 'receiveBufferBytes', 'dupThresh', 'hopLimit', 'keepAliveCount']) {
    expect(() => tcpConfig({ [name]: 100.5 }), name).toThrow(RangeError)
  }
  expect(tcpConfig({ delayedAckUs: 0.5 }).delayedAckUs).toBe(0.5)
})

test('an unknown setting or a value of another type is a TypeError that says so', () => {
  expect(() => tcpConfig({ nagel: false } as Partial<TcpConfig>)).toThrow(TypeError)
  expect(() => tcpConfig({ nagel: false } as Partial<TcpConfig>)).toThrow('nagle')
  expect(() => tcpConfig({ nagle: 1 } as unknown as Partial<TcpConfig>)).toThrow(TypeError)
  expect(() => tcpConfig({ mss: '1460' } as unknown as Partial<TcpConfig>)).toThrow('number')
})

test('a word that is none of those allowed is a RangeError that lists them', () => {
  const words = Object.entries(KNOBS).filter(([, knob]) => 'oneOf' in knob)
  expect(words.map(([name]) => name)).toEqual(expect.arrayContaining(['nagleVariant', 'windowValidation']))
  for (const [name, knob] of words as [keyof TcpConfig, { default: string; oneOf: string[] }][]) {
    expect(knob.oneOf).toContain(knob.default)
    for (const word of knob.oneOf) expect(tcpConfig({ [name]: word })[name]).toBe(word)
    for (const bad of ['', 'none of them']) expect(() => tcpConfig({ [name]: bad })).toThrow(RangeError)
    expect(() => tcpConfig({ [name]: 'none of them' })).toThrow(`'${name}'`)
    expect(() => tcpConfig({ [name]: 'none of them' })).toThrow(knob.oneOf.join(', '))
  }
})

test('overrides go over a base; undefined leaves it, and nothing is shared', () => {
  const base = tcpConfig({ mss: 1000 })
  const config = tcpConfig({ nagle: false, mss: undefined }, base)
  expect([config.mss, config.nagle, base.nagle]).toEqual([1000, false, true])
  expect(Object.isFrozen(DEFAULT_CONFIG)).toBe(true)
  expect(tcpConfig()).toEqual(DEFAULT_CONFIG)
})

test('the defaults are what the RFCs ask for (RFC 6298 §2.1, RFC 6928 §2, RFC 5681 §3.2 §4.2, RFC 9293 §3.8.3 §3.8.4)', () => {
  expect(DEFAULT_CONFIG).toMatchObject({
    initialRtoUs: 1_000_000, // RFC 6298 §2.1
    initialWindowSegments: 10, // RFC 6928 §2
    dupThresh: 3,
    ackEverySegments: 2,
    keepAlive: false, // [MUST-25]
    keepAliveIdleUs: 7_200_000_000, // [MUST-28]
    nagle: true, // [SHLD-7]
  })
  expect(DEFAULT_CONFIG.delayedAckUs).toBeLessThan(500_000) // [MUST-40]
  expect(KNOBS.delayedAckUs.most).toBeLessThan(500_000)
  expect(DEFAULT_CONFIG.synTimeoutUs).toBeGreaterThanOrEqual(180_000_000) // [MUST-23]
  expect(DEFAULT_CONFIG.retransmitTimeoutUs).toBeGreaterThanOrEqual(100_000_000) // [SHLD-11]
  expect(DEFAULT_CONFIG.maxRtoUs).toBeGreaterThanOrEqual(60_000_000) // RFC 6298 §2.5
})

test('controllers go by name; an unknown one is a RangeError that lists them', () => {
  expect(congestionControl('reno')).toBe(reno)
  expect(() => congestionControl('vegan')).toThrow('reno')
  registerCongestionControl({ ...reno, name: 'of-a-test' })
  expect(congestionControl('of-a-test').name).toBe('of-a-test')
})

test('figure 5: every state leads to CLOSED, and what it does not have is refused (RFC 9293 §3.3.2)', () => {
  for (const from of STATES) {
    expect(canTransition(from, 'CLOSED')).toBe(true)
    for (const to of STATES) {
      if (to === 'CLOSED') continue
      expect(canTransition(from, to), `${from} to ${to}`).toBe(TRANSITIONS[from][to] !== undefined)
    }
  }
  expect(canTransition('ESTABLISHED', 'TIME-WAIT')).toBe(false)
  expect(Object.keys(TRANSITIONS).sort()).toEqual([...STATES].sort())
})

test('what may be done in which state (RFC 9293 §3.10)', () => {
  const which = (may: (state: State) => boolean): State[] => STATES.filter(may)
  expect(which(canSend)).toEqual(['SYN-SENT', 'SYN-RECEIVED', 'ESTABLISHED', 'CLOSE-WAIT'])
  expect(which(canReceive)).toEqual(['ESTABLISHED', 'FIN-WAIT-1', 'FIN-WAIT-2'])
  expect(which(isSynchronized)).toEqual(STATES.slice(4))
})

scenario('changes of state are told, those that the figure does not have are a defect of ours', () => {
  const c = established()
  const seen: string[] = []
  c.tcb.onState = (from, to) => seen.push(`${from} > ${to}`)
  setState(c.tcb, 'ESTABLISHED')
  expect(() => setState(c.tcb, 'TIME-WAIT')).toThrow(InvariantError)
  c.in('F. 1 ack 1').out('. 1 ack 2')
  expect(seen).toEqual(['ESTABLISHED > CLOSE-WAIT'])
})

test('errors carry Node’s codes and a plain message', () => {
  const error = new TcpError('ECONNRESET')
  expect([error.code, error.message, error.name]).toEqual(['ECONNRESET', 'connection reset by peer', 'TcpError'])
  expect(new TcpError('EINVAL', 'so').message).toBe('so')
})

test('what is named wins: a bound pulls a default below it, a value pushes its bound up', () => {
  expect(tcpConfig({ receiveBufferMaxBytes: 65536 })).toMatchObject({ receiveBufferBytes: 65536 })
  expect(tcpConfig({ sendBufferMaxBytes: 65536 })).toMatchObject({ sendBufferBytes: 65536, sendBufferAutotune: true })
  expect(tcpConfig({ delayedAckUs: 300_000 })).toMatchObject({ delayedAckMaxUs: 300_000 })
  expect(tcpConfig({ userTimeoutLeastUs: 200e6, userTimeoutMostUs: 150e6 })).toMatchObject({ userTimeoutMostUs: 200e6 })
})
