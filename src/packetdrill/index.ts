// The floor's public face.

export type { Complaint, Position, Script, ScriptEvent } from './ast.ts'
export { type Mutant, type MutateOptions, mutantsOf } from './mutate.ts'
export { type ParseResult, parseScript } from './parser.ts'
export { formatFailure, type ScriptResult } from './report.ts'
export { type MakeTarget, runScript } from './runner.ts'
export type { RunOptions } from './settings.ts'
export { StackTarget, type StackTargetOptions } from './stack-target.ts'
export type { Call, Ends, Outcome, SentPacket, Target, Value } from './target.ts'
