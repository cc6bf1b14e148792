// The ground floor: bytes, time, randomness, ordered ranges, deadlines. Imports nothing.

export * from './assert.ts'
export * from './byte-ring.ts'
export * from './bytes.ts'
export * from './deadlines.ts'
export * from './fifo.ts'
export * from './md5.ts'
export * from './random.ts'
export * from './ranges.ts'
export * from './siphash.ts'
export * from './suggest.ts'
export * from './time.ts'
