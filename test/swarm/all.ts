// What tests need of the swarm, to be compiled as one module (bundle.ts).

export { caseFromJson, caseToJson } from './case.ts'
export { drawCase } from './draw.ts'
export { Notes } from './notes.ts'
export { runCase } from './once.ts'
export { shrink } from './shrink.ts'
export { World } from './world.ts'
