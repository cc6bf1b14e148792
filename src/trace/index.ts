// Looking at packets: tcpdump lines, ladders with states and causes, captures.

export * from './causes.ts'
export * from './event-line.ts'
export * from './ladder.ts'
export * from './packet-line.ts'
export * from './pcapng.ts'
export * from './peer-state.ts'
export * from './recorder.ts'
