// The swarm as one compiled module: tsx and vitest leave the imports and closures of what they load slower than they need be.
// Owns: compiling it.

import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { build } from 'esbuild'

/** Compiles an entry of this folder, `worker` say; returns the path of the module. */
export async function bundled(entry: string): Promise<string> {
  const folder = resolve('node_modules/.cache/swarm')
  mkdirSync(folder, { recursive: true })
  const outfile = `${folder}/${entry}.mjs`
  const entryPoints = [`test/swarm/${entry}.ts`]
  await build({ entryPoints, bundle: true, platform: 'node', format: 'esm', outfile, logLevel: 'error' })
  return outfile
}
