import { describe, expect, test } from 'vitest'
import { parseDuration, parseImpairment, parsePercent, parseRate, parseSize } from '../../src/link/impair-options.ts'

describe('reading impairments from the command line', () => {
  test('reads percentages, durations, rates and sizes with their units', () => {
    expect([parsePercent('1%'), parsePercent('0.05%'), parsePercent('100%')]).toEqual([0.01, 0.0005, 1])
    expect([parseDuration('20ms'), parseDuration('5us'), parseDuration('1.5s')]).toEqual([20_000, 5, 1_500_000])
    expect([parseRate('10mbit'), parseRate('100kbit'), parseRate('2.5Gbit'), parseRate('9bit')]).toEqual([
      1e7, 1e5, 2.5e9, 9,
    ])
    expect([parseSize('64kb'), parseSize('1500'), parseSize('1MB'), parseSize('10b')]).toEqual([
      65536, 1500, 1048576, 10,
    ])
  })

  test.each([
    [parsePercent, '1'],
    [parsePercent, '101%'],
    [parsePercent, '-1%'],
    [parseDuration, '20'],
    [parseDuration, '20 minutes'],
    [parseDuration, ''],
    [parseRate, '10'],
    [parseRate, '10mbps'],
    [parseRate, '0mbit'],
    [parseRate, '10constructor'],
    [parseSize, '64kbit'],
    [parseSize, 'x'],
  ])('%o refuses %o, and its error quotes the text and shows an example', (parse, text) => {
    expect(() => parse(text)).toThrow(TypeError)
    expect(() => parse(text)).toThrow(/^'.*': write a .* as /)
  })

  test('reads a whole impairment', () => {
    const text =
      'delay=20ms, jitter=2ms,loss=1%,duplicate=2%,reorder=3%,reorder-delay=5ms,corrupt=4%,rate=10mbit,queue=64kb'
    expect(parseImpairment(text)).toEqual({
      delayUs: 20_000,
      jitterUs: 2_000,
      lossRate: 0.01,
      duplicateRate: 0.02,
      reorderRate: 0.03,
      reorderDelayUs: 5_000,
      corruptRate: 0.04,
      rateBps: 1e7,
      queueBytes: 65536,
    })
    expect(parseImpairment('rate=1mbit,queue=100p')).toEqual({ rateBps: 1e6, queuePackets: 100 })
    expect(parseImpairment('rate=1mbit,mark=5%,mark-threshold=20p')).toEqual({
      rateBps: 1e6,
      markRate: 0.05,
      markThreshold: 20,
    })
    expect(parseImpairment('')).toEqual({})
  })

  test('names the names when one is unknown, and checks that the parts fit together', () => {
    expect(() => parseImpairment('lag=1ms')).toThrow(/'lag=1ms': write name=value, with a name of delay, jitter, loss/)
    expect(() => parseImpairment('loss')).toThrow(TypeError)
    expect(() => parseImpairment('loss=1%=2%')).toThrow(TypeError)
    expect(() => parseImpairment('queue=64kb')).toThrow(RangeError)
    expect(() => parseImpairment('mark-threshold=20p')).toThrow(RangeError)
    expect(() => parseImpairment('rate=1mbit,mark-threshold=20')).toThrow(TypeError)
  })
})
