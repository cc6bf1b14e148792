// The package as a user gets it: built, packed, installed in an empty project, imported and run there.
// Owns: everything that only the tarball can show. Does not own: what package.json says (test/package.test.ts).
//
// There is no registry inside the network namespace, and the npm cache may lack what `npm install --offline` asks for. So the
// dependencies are packed as well, from node_modules, and one `npm install --offline` gets all tarballs: it resolves versions, links
// the command and puts files in place just as it does for a user, which copying folders would not show.

import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ROOT } from '../tidy/source.ts'

const temporary = mkdtempSync(join(tmpdir(), 'tunstack-package-'))
const tarballs = join(temporary, 'tarballs')
const project = join(temporary, 'project')
const installed = join(project, 'node_modules/tunstack')
const manifest = readManifest(ROOT)
const names = Object.keys(manifest.exports).map((name) => name.replace(/^\./, 'tunstack'))
const modules = names.filter((name) => !name.endsWith('.json'))

beforeAll(async () => {
  mkdirSync(tarballs)
  mkdirSync(project)
  writeFileSync(join(project, 'package.json'), '{}')
  await run(ROOT, 'npm', 'pack', '--silent', '--pack-destination', tarballs) // builds first (prepack)
  for (const folder of runtimePackages()) {
    await run(folder, 'npm', 'pack', '--silent', '--ignore-scripts', '--pack-destination', tarballs)
  }
  const files = readdirSync(tarballs).map((name) => join(tarballs, name))
  await run(project, 'npm', 'install', '--offline', '--no-audit', '--no-fund', ...files)
}, 120_000)

afterAll(() => rmSync(temporary, { recursive: true, force: true }))

test('the tarball holds what exports, bin and the source maps point to, and no tests', () => {
  const targets = Object.values(manifest.exports).flatMap((entry) =>
    typeof entry === 'string' ? [entry] : Object.values(entry),
  )
  for (const path of [...targets, ...Object.values(manifest.bin), 'README.md', 'LICENSE', 'src/index.ts']) {
    expect(existsSync(join(installed, path)), path).toBe(true)
  }
  const files = readdirSync(installed, { recursive: true, encoding: 'utf8' })
  expect(files.filter((path) => /\.test\.|^test|^\.|\.pem$|\.pcapng$/.test(path))).toEqual([])
})

test('publint finds nothing to mend', async () => {
  const { messages, pkg } = await publint({ pkgDir: installed, pack: false, strict: true })
  expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([])
})

test.each(modules)("import('%s') works and leaves nothing running", async (name) => {
  const script = `import('${name}').then((module) => console.log(Object.keys(module).length))`
  expect(Number(await run(project, process.execPath, '-e', script))).toBeGreaterThan(0)
})

test('the manifest can be imported, and files that are not exported cannot', async () => {
  const version = "console.log(require('tunstack/package.json').version)"
  expect(await run(project, process.execPath, '-e', version)).toBe(manifest.version)
  const hidden = "import('tunstack/dist/tcp/tcb.js').catch((error) => console.log(error.code))"
  expect(await run(project, process.execPath, '-e', hidden)).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED')
})

test('the types of every module resolve in a strict project that checks libraries too', async () => {
  writeFileSync(
    join(project, 'user.mts'),
    modules.map((name, i) => `import * as m${i} from '${name}'\nvoid m${i}\n`).join(''),
  )
  const compilerOptions = {
    strict: true,
    noEmit: true,
    target: 'ES2023',
    module: 'NodeNext',
    types: ['node'],
    typeRoots: [join(ROOT, 'node_modules/@types')],
  }
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['user.mts'] }))
  expect(await run(project, process.execPath, join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', project)).toBe('')
})

test('npx --no-install tunstack --version prints the version', async () => {
  expect(await run(project, 'npx', '--no-install', 'tunstack', '--version')).toBe(manifest.version)
})

test('npx --no-install tunstack demo lets curl fetch the page over a TUN device', async () => {
  expect(await run(project, 'npx', '--no-install', 'tunstack', 'demo')).toContain('bytes arrived as they were sent')
})

/** Folders of the packages that a user's npm would install with ours: dependencies, theirs, and the optional ones of this platform. */
function runtimePackages(): string[] {
  const found = new Set<string>()
  const waiting = Object.keys(manifest.dependencies ?? {})
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const folder = join(ROOT, 'node_modules', name)
    if (found.has(folder) || !existsSync(folder)) continue
    found.add(folder)
    const { dependencies, optionalDependencies } = readManifest(folder)
    waiting.push(...Object.keys({ ...dependencies, ...optionalDependencies }))
  }
  return [...found]
}

/** Runs a command to its end and returns what it printed, trimmed; throws with its output when it fails or takes over a minute. */
async function run(cwd: string, command: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(command, args, { cwd, timeout: 60_000 }).catch((error) => {
    throw new Error(`${error.message}\n${error.stdout}\n${error.stderr}`)
  })
  return stdout.trim()
}

function readManifest(folder: string): {
  version: string
  bin: Record<string, string>
  exports: Record<string, string | { types: string; default: string }>
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
} {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
}
