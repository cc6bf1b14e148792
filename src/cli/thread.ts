// What runs in a thread of `--workers`: the whole program, with one queue of the interface instead of an interface of its own.
// Owns: the entry, and signals, which threads get from the first one by message. Does not own: the rest (threads.ts).

import { parentPort } from 'node:worker_threads'
import { main } from './main.ts'
import { threadData } from './threads.ts'

parentPort?.on('message', (signal: NodeJS.Signals) => process.emit(signal))
await main(threadData()?.args ?? [])
