// Programs of the bench as plain JavaScript over dist/, so that what is measured is what is published, without a loader in the process.
// Owns: stripping the types of bench files, imports of src turned to dist. Does not own: building dist (`npm run build`).

import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { build } from 'esbuild'

const ROOT = resolve(import.meta.dirname, '..')
const OUT = join(ROOT, 'node_modules/.cache/tunstack-bench')

/**
 * Compiles programs, given as paths from the repository's root; what they import of `bench` goes in with them. Returns where each lies now.
 * @throws {Error} when there is no dist
 */
export async function compile(...programs: readonly string[]): Promise<string[]> {
  if (!existsSync(join(ROOT, 'dist/index.js'))) throw new Error('there is no dist: npm run build')
  await build({
    entryPoints: programs.map((program) => join(ROOT, program)),
    outdir: OUT,
    outbase: ROOT, // or esbuild takes the folder that the programs have in common
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    logLevel: 'error',
    plugins: [
      {
        name: 'dist',
        setup: (build) => {
          build.onResolve({ filter: /\/src\/.*\.ts$/ }, ({ path, resolveDir }) => {
            const inSrc = resolve(resolveDir, path).slice(join(ROOT, 'src/').length)
            return { path: join(ROOT, 'dist', inSrc.replace(/\.ts$/, '.js')), external: true }
          })
        },
      },
    ],
  })
  return programs.map((program) => join(OUT, program.replace(/\.ts$/, '.js')))
}
