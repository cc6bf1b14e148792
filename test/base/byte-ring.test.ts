// ByteRing against a plain array.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteRing } from '../../src/base/byte-ring.ts'

/** Where bytes differ from a model, -1 nowhere; what was never put may be anything. */
const differs = (bytes: Uint8Array, model: readonly (number | undefined)[]): number =>
  bytes.findIndex((byte, i) => model[i] !== undefined && model[i] !== byte)

const length = fc.oneof(
  { weight: 10, arbitrary: fc.integer({ min: 0, max: 40 }) },
  { weight: 10, arbitrary: fc.integer({ min: 0, max: 3000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 16_000, max: 20_000 }) }, // long enough to be given away with its memory
)
const step = fc.oneof(
  fc.record({ kind: fc.constant('put' as const), at: fc.double({ min: 0, max: 1, noNaN: true }), length }),
  fc.record({ kind: fc.constant('append' as const), at: fc.constant(0), length }),
  fc.record({ kind: fc.constant('advance' as const), at: fc.double({ min: 0, max: 1, noNaN: true }), length }),
  fc.record({ kind: fc.constant('copy' as const), at: fc.double({ min: 0, max: 1, noNaN: true }), length }),
  fc.record({ kind: fc.constant('take' as const), at: fc.constantFrom(0.5, 1, 1, 1), length }),
  fc.record({ kind: fc.constant('clear' as const), at: fc.constant(0), length }),
)

test('a ring behaves as an array that bytes are put into anywhere and dropped from the head of', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const ring = new ByteRing()
      let model: (number | undefined)[] = []
      const taken: { text: Uint8Array; was: Uint8Array }[] = []
      let next = 0
      for (const { kind, at, length } of steps) {
        const place = Math.floor(at * model.length)
        if (kind === 'put' || kind === 'append') {
          const offset = kind === 'append' ? model.length : place + (length % 7 === 0 ? 11 : 0) // sometimes beyond, leaving a hole
          const source = Uint8Array.from({ length: length + 5 }, () => next++ & 255)
          ring.put(offset, source, 2, 2 + length)
          if (length > 0) while (model.length < offset + length) model.push(undefined)
          for (let i = 0; i < length; i++) model[offset + i] = source[2 + i]
        } else if (kind === 'advance') {
          ring.advance(place)
          model = model.slice(place)
        } else if (kind === 'copy') {
          const take = Math.min(length, model.length - place)
          const out = new Uint8Array(take + 4).fill(9)
          ring.copy(place, out, 3, take)
          expect(differs(out.subarray(3, 3 + take), model.slice(place))).toBe(-1)
          expect([out[0], out[1], out[2], out[3 + take]]).toEqual([9, 9, 9, 9])
        } else if (kind === 'take') {
          const text = ring.take(place)
          expect(text.length).toBe(place)
          expect(differs(text, model)).toBe(-1)
          taken.push({ text, was: text.slice() })
          model = model.slice(place)
        } else {
          ring.clear()
          model = []
        }
        expect(ring.extent).toBe(model.length)
      }
      for (const { text, was } of taken) expect(Buffer.compare(text, was)).toBe(0) // nobody writes there any more
      const all = new Uint8Array(model.length)
      ring.copy(0, all, 0, all.length)
      expect(differs(all, model)).toBe(-1)
    }),
    { numRuns: 200 },
  )
})

test('memory is given back once the ring is empty, and grows by doubling', () => {
  const ring = new ByteRing()
  expect(ring.capacity).toBe(0)
  ring.put(0, new Uint8Array(600), 0, 600)
  expect(ring.capacity).toBe(1024)
  ring.put(600, new Uint8Array(500), 0, 500)
  expect(ring.capacity).toBe(2048)
  ring.advance(1100)
  expect([ring.capacity, ring.extent]).toEqual([0, 0])
})

test('memory larger than what the pool holds is not kept for reuse', () => {
  const large = 8 << 20
  const ring = new ByteRing()
  ring.put(large - 1, Uint8Array.of(7), 0, 1)
  expect(ring.capacity).toBe(large)
  ring.clear()
  ring.put(large - 1, Uint8Array.of(8), 0, 1)
  const out = new Uint8Array(large)
  ring.copy(0, out, 0, large)
  expect(out.indexOf(7)).toBe(-1) // fresh
  expect(out[large - 1]).toBe(8)
  ring.clear()
})

test('an empty ring takes nothing from the pool, and buffers of the pool are not shared', () => {
  const a = new ByteRing()
  const b = new ByteRing()
  a.put(0, Uint8Array.of(1), 0, 1)
  a.advance(1)
  a.put(0, Uint8Array.of(2), 0, 1)
  b.put(0, Uint8Array.of(3), 0, 1)
  const out = new Uint8Array(2)
  a.copy(0, out, 0, 1)
  b.copy(0, out, 1, 1)
  expect([...out]).toEqual([2, 3])
})

test('misuse is a defect of ours: an assertion', () => {
  const ring = new ByteRing()
  ring.put(0, new Uint8Array(10), 0, 10)
  expect(() => ring.advance(11)).toThrow('advance past')
  expect(() => ring.copy(5, new Uint8Array(10), 0, 6)).toThrow('outside')
  expect(() => ring.put(-1, new Uint8Array(1), 0, 1)).toThrow('outside')
  expect(() => ring.put(2 ** 30, new Uint8Array(1), 0, 1)).toThrow('1 GiB')
})
