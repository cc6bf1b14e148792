// Congestion controllers of one's own: what is refused, and what a faulty one is told.

import { expect, test } from 'vitest'
import { type CongestionControl, registerCongestionControl } from '../../../src/tcp/congestion/index.ts'
import { reno } from '../../../src/tcp/congestion/reno.ts'
import { established, scenario } from '../script.ts'

test('the name of a built-in controller is refused, and one that lacks a call, which is named', () => {
  expect(() => registerCongestionControl({ ...reno })).toThrow(/'reno' is built in/)
  expect(() => registerCongestionControl({ name: 'half-test' } as CongestionControl)).toThrow(
    /'half-test' lacks init, onAck/,
  )
})

scenario('a controller that makes cwnd no number is named', () => {
  registerCongestionControl({
    ...reno,
    name: 'nan-test',
    onAck(state) {
      state.cwnd = Number.NaN
    },
  })
  const c = established({ tcp: { congestion: 'nan-test' } })
  c.write(14_600).drain()
  expect(() => c.in('. 1 ack 1461')).toThrow(/'nan-test' has set cwnd to NaN/)
})
