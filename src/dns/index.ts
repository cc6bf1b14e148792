// The public face of DNS (`tunstack/dns`): messages, a stub resolver, Happy Eyeballs, a small server; all without I/O.
// Owns: nothing but the list.

export * from './address-order.ts'
export * from './answer.ts'
export * from './cache.ts'
export * from './codes.ts'
export * from './config.ts'
export * from './exchange.ts'
export * from './framing.ts'
export * from './happy-eyeballs.ts'
export * from './message.ts'
export * from './names.ts'
export * from './reader.ts'
export * from './records.ts'
export * from './resolver.ts'
export * from './server.ts'
export * from './zone.ts'
export * from './zone-text.ts'
