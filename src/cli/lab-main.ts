// `npm run lab`: the lab from the sources, all of it unless a name is given.
// Owns: nothing but the default.

import { main } from './main.ts'

const args = process.argv.slice(2)
await main([
  'lab',
  ...(args.some((word) => !word.startsWith('-')) || args.includes('--help') ? args : ['all', ...args]),
])
