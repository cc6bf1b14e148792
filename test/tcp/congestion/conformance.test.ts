// Every controller that can be had by name.

import { describe, expect, test } from 'vitest'
import { congestionControl, congestionControlNames, fixedWindow } from '../../../src/tcp/congestion/index.ts'
import { UNLIMITED_WINDOW } from '../../../src/tcp/congestion/none.ts'
import { describeConformance, type Traits } from './conformance.ts'
import { acknowledge, ackOf, begun } from './harness.ts'

const lossBased: Traits = { isLossBased: true, leastAfterLoss: 2, keepsWindowIdle: false }
const ownRule: Traits = { isLossBased: false, leastAfterLoss: 1, keepsWindowIdle: true }

const TRAITS: Readonly<Record<string, Traits>> = {
  reno: lossBased,
  newreno: lossBased,
  cubic: lossBased,
  bbr: ownRule,
  dctcp: lossBased,
  fixed: ownRule,
  none: ownRule,
}

for (const [name, traits] of Object.entries(TRAITS)) describeConformance(congestionControl(name), traits)

describe('the controllers by name', () => {
  test('are all under test', () => {
    // Other tests register some of their own, whose names end in '-test'.
    const names = congestionControlNames().filter((name) => !name.endsWith('-test'))
    expect(names.filter((name) => TRAITS[name] === undefined)).toEqual([])
  })

  test('a name that there is not names those that there are', () => {
    expect(() => congestionControl('vegas')).toThrow(
      /no congestion controller 'vegas'; there are: reno, newreno, cubic/,
    )
  })
})

describe('windows that do not change', () => {
  test('a fixed window is as many segments as one asks for, whatever happens, also when SMSS changes', () => {
    const control = fixedWindow(4)
    expect(control.name).toBe('fixed-4')
    const state = begun(control)
    expect(state.cwnd).toBe(4000)
    acknowledge(control, state, ackOf(4000))
    control.onTimeout(state, 4000, true, 0)
    expect(state.cwnd).toBe(4000)
    state.mss = 500
    control.onRecovered(state, 0, 0)
    expect(state.cwnd).toBe(2000)
  })

  test('a fixed window of no segments, or of half a one, is refused', () => {
    expect(() => fixedWindow(0)).toThrow(RangeError)
    expect(() => fixedWindow(1.5)).toThrow(RangeError)
  })

  test('without congestion control the window is the largest that a receiver can offer (RFC 7323 §2.3)', () => {
    const control = congestionControl('none')
    const state = begun(control)
    control.onLoss(state, 1000, 0)
    expect(state.cwnd).toBe(UNLIMITED_WINDOW)
    expect(UNLIMITED_WINDOW).toBeGreaterThan(65_535 * 2 ** 14)
  })
})
