// The floor's public face.

export type { Call, Ends, Outcome, SentPacket, Target, Value } from './target.ts'
