// Settings that many connections share are one record, and what is remembered of them is bounded.

import { describe, expect, it } from 'vitest'
import { DEFAULT_CONFIG, tcpConfig } from '../../src/tcp/config.ts'
import { deriveConfig } from '../../src/tcp/derived-config.ts'

describe('settings that open connections share', () => {
  it('equal changes of one setting give the same record', () => {
    const base = tcpConfig({ nagle: true })
    const one = deriveConfig({ nagle: false }, base)
    expect(one.nagle).toBe(false)
    expect(deriveConfig({ nagle: false }, base)).toBe(one)
  })

  it('a cork that is set and taken away again leads back to the record before it, however often', () => {
    const base = tcpConfig({})
    const corked = deriveConfig({ cork: true }, base)
    expect(deriveConfig({ cork: false }, corked)).toBe(base)
    let config = base
    const seen = new Set([base])
    for (let i = 0; i < 1000; i++) {
      config = deriveConfig({ cork: i % 2 === 0 }, config)
      seen.add(config)
    }
    expect(seen).toEqual(new Set([base, corked]))
  })

  it('two settings changed one after the other, in either order, are one record', () => {
    const base = tcpConfig({})
    const a = deriveConfig({ cork: true }, deriveConfig({ nagle: false }, base))
    const b = deriveConfig({ nagle: false }, deriveConfig({ cork: true }, base))
    expect(a).toBe(b)
    expect(a).toMatchObject({ cork: true, nagle: false })
  })

  it('a change to what is set already gives the same record', () => {
    expect(deriveConfig({ nagle: DEFAULT_CONFIG.nagle }, DEFAULT_CONFIG)).toBe(DEFAULT_CONFIG)
  })

  it('what comes on top of those that are remembered is right all the same, and is not mistaken for another', () => {
    const base = tcpConfig({})
    for (let i = 1; i <= 100; i++) {
      const made = deriveConfig({ keepAliveCount: i }, base)
      expect(made.keepAliveCount).toBe(i)
      const corked = deriveConfig({ cork: true }, made)
      expect(corked).toMatchObject({ keepAliveCount: i, cork: true })
      expect(deriveConfig({ cork: false }, corked)).toMatchObject({ keepAliveCount: i, cork: false })
    }
  })

  it('a value of the wrong type is an error, though its text equals one that is known', () => {
    const base = tcpConfig({})
    deriveConfig({ nagle: false }, base)
    expect(() => deriveConfig({ nagle: 'false' as never }, base)).toThrow(TypeError)
  })
})
