// Virtual time and networks in it.

export * from './virtual-time.ts'
