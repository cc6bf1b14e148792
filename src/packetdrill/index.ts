// The floor's public face.

export { StackTarget, type StackTargetOptions } from './stack-target.ts'
export type { Call, Ends, Outcome, SentPacket, Target, Value } from './target.ts'
