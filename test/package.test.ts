// What package.json promises: every floor can be imported by name, the tarball holds what runs, and versions are pinned.
// Owns: the promises that can be checked without a build. Does not own: the tarball itself (test/interop/package.test.ts).

import { existsSync, readFileSync, statSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join } from 'node:path'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { expectNone, filesIn, ROOT } from './tidy/source.ts'

const manifest = readJson('package.json')
const lock = readJson('package-lock.json')

/** Values of package.json and package-lock.json as these tests read them. */
interface Manifest {
  name: string
  version: string
  type: string
  files: string[]
  bin: Record<string, string>
  exports: Record<string, string | { types: string; default: string }>
  scripts: Record<string, string>
  engines: Record<string, string>
  dependencies: Record<string, string>
  devDependencies: Record<string, string>
  peerDependencies: Record<string, string>
  peerDependenciesMeta: Record<string, { optional?: boolean }>
  packages: Record<string, Partial<Manifest> & { optionalDependencies?: Record<string, string> }>
}

test('every floor but cli is exported by name, and nothing else is', () => {
  const indexes = filesIn('src', 'index.ts').filter((path) => /^src\/(?!cli\/)([\w-]+\/)?index\.ts$/.test(path))
  const expected: Manifest['exports'] = { './package.json': './package.json' }
  for (const index of indexes) {
    const built = index.replace(/^src/, './dist').replace(/\.ts$/, '')
    const name = index.replace(/^src/, '.').replace(/\/index\.ts$/, '')
    expected[name] = { types: `${built}.d.ts`, default: `${built}.js` }
  }
  expect(manifest.exports).toEqual(expected)
})

test('types come first among the conditions of an export, where TypeScript looks for them', () => {
  for (const entry of Object.values(manifest.exports)) {
    if (typeof entry !== 'string') expect(Object.keys(entry)).toEqual(['types', 'default'])
  }
})

test('the tarball holds all that exports, bin and source maps point to, and its papers', () => {
  const targets = Object.values(manifest.exports).flatMap((entry) =>
    typeof entry === 'string' ? [] : Object.values(entry),
  )
  const needed = [
    ...targets,
    ...Object.values(manifest.bin),
    'src',
    'README.md',
    'ARCHITECTURE.md',
    'CHANGELOG.md',
    'LICENSE',
  ]
  const folders = new Set(needed.map((path) => path.replace(/^\.\//, '').replace(/\/.*/, '')))
  expect(new Set(manifest.files)).toEqual(new Set([...folders, 'assets', 'docs']))
})

test('what the tarball should hold exists, dist excepted, which the build makes', () => {
  expectNone(
    manifest.files
      .filter((path) => path !== 'dist' && !existsSync(join(ROOT, path)))
      .map((path) => `${path} is missing`),
  )
})

test('the commands are executable scripts for node', () => {
  for (const path of Object.values(manifest.bin)) {
    expect(readFileSync(join(ROOT, path), 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
    expect(statSync(join(ROOT, path)).mode & 0o111, `${path} is executable`).toBe(0o111)
  }
})

test('dependencies are pinned to one version each, optional peers excepted', () => {
  const pinned = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })
  expectNone(pinned.filter(([, range]) => !/^\d+\.\d+\.\d+$/.test(range)).map(([name, range]) => `${name} is ${range}`))
  for (const name of Object.keys(manifest.peerDependencies))
    expect(manifest.peerDependenciesMeta[name]?.optional).toBe(true)
})

test('src imports the packages that package.json names, no others, and every dependency', () => {
  const imports = filesIn('src').flatMap(
    (path) => ts.preProcessFile(readFileSync(join(ROOT, path), 'utf8')).importedFiles,
  )
  const packages = imports.map(({ fileName }) => fileName).filter((name) => !/^[./]/.test(name) && !isBuiltin(name))
  const used = new Set(packages.map((name) => /^(?:@[^/]+\/)?[^/]+/.exec(name)![0]))
  const optional = Object.keys(manifest.peerDependencies).filter((name) => !used.has(name)) // users may hand them in instead
  expect([...used, ...optional].sort()).toEqual(
    Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }).sort(),
  )
})

test('the lock file agrees with package.json, so that npm ci installs it', () => {
  const { version, dependencies, devDependencies, peerDependencies } = manifest
  expect(lock.packages['']).toMatchObject({ version, dependencies, devDependencies, peerDependencies })
})

test('the lock file has every optional package of every platform, without which npm ci refuses it', () => {
  const missing = Object.entries(lock.packages).flatMap(([path, entry]) =>
    Object.keys(entry.optionalDependencies ?? {})
      .filter((name) => !lock.packages[`${path}/node_modules/${name}`] && !lock.packages[`node_modules/${name}`])
      .map((name) => `package-lock.json: ${path} needs ${name}`),
  )
  expectNone(missing)
})

test('the package is a module, and runs on the Node it is tested with', () => {
  expect(manifest.type).toBe('module')
  expect(manifest.engines['node']).toMatch(/^>=\d+\.\d+$/)
  const [major, minor] = manifest.engines['node']!.slice(2).split('.').map(Number) as [number, number]
  const [ourMajor, ourMinor] = process.versions.node.split('.').map(Number) as [number, number]
  expect(ourMajor * 1000 + ourMinor).toBeGreaterThanOrEqual(major * 1000 + minor)
})

function readJson(path: string): Manifest {
  return JSON.parse(readFileSync(join(ROOT, path), 'utf8')) as Manifest
}
