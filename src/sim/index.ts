// Virtual time and networks in it.

export * from './network.ts'
export * from './router.ts'
export * from './virtual-time.ts'
