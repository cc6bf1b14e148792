// The edge: the only files that may touch Node, the real clock or real randomness. Everything below takes time, randomness and packets
// as arguments, which is what makes runs repeat to the byte and lets the core run in a browser.
// Owns: EDGE, EXCEPTIONS and the rules about them. Does not own: the floors (floors.ts).

import ts from 'typescript'
import { complaint, type Source, walk } from './source.ts'

/** Files that stand at the edge. */
export const EDGE: readonly RegExp[] = [
  /^src\/net\//, // real time, Node's sockets and streams
  /^src\/cli\//, // the command line
  /^src\/link\/(tun|libc|tuntap2)[^/]*\.ts$/, // the TUN device and the FFI below it
]

/** Index files that gather the edge with the rest. Nothing below the edge may import them. */
export const EDGE_INDEXES: readonly string[] = ['src/index.ts', 'src/link/index.ts']

/** Files that own no clock and no I/O, as those below the edge, but stand on net's sockets: all they do is in virtual time. */
export const OVER_NET: RegExp = /^src\/lab\//

/** What a file below the edge may use all the same, and why. */
export const EXCEPTIONS: readonly { file: string; uses: string; because: string }[] = [
  {
    file: 'src/sim/virtual-time.ts',
    uses: 'setImmediate',
    because: "lets promises and stream callbacks settle between two virtual events; no time of the clock's passes",
  },
]

const GLOBALS = [
  'process',
  'Buffer',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'performance',
  'console',
  'require',
]
const MEMBERS = ['Date.now', 'Math.random', 'crypto.getRandomValues', 'crypto.randomUUID']

/** Whether `path` stands at the edge. */
export function isEdge(path: string): boolean {
  return EDGE.some((pattern) => pattern.test(path))
}

/** Imports of `node:` modules and of packages below the edge, unless only for their types. */
export function nodeImports(sources: readonly Source[]): string[] {
  return belowEdge(sources).flatMap((source) =>
    source.imports
      .filter(({ target, typeOnly }) => target === null && !typeOnly)
      .map(({ specifier, line }) =>
        complaint(
          source,
          line,
          `imports '${specifier}' below the edge (only src/net, src/cli and link's TUN files may)`,
        ),
      ),
  )
}

/** Uses of the clock, timers, randomness, `process`, `Buffer` or the console below the edge. */
export function nodeGlobals(sources: readonly Source[]): string[] {
  return belowEdge(sources).flatMap((source) => {
    const found: string[] = []
    walk(source.tree, (node) => {
      const use = forbiddenUse(node)
      if (use && !EXCEPTIONS.some(({ file, uses }) => file === source.path && uses === use)) {
        found.push(complaint(source, node, `uses ${use} below the edge: take it as an argument`))
      }
      return !ts.isTypeNode(node) || ts.isExpressionWithTypeArguments(node) // types leave nothing behind
    })
    return found
  })
}

/** Exceptions that nothing needs any more. */
export function staleExceptions(sources: readonly Source[]): string[] {
  return EXCEPTIONS.filter(({ file, uses }) => {
    const source = sources.find(({ path }) => path === file)
    let used = false
    if (source)
      walk(source.tree, (node) => {
        used ||= forbiddenUse(node) === uses
      })
    return !used
  }).map(({ file, uses }) => `test/tidy/edge.ts: the exception of ${file} for ${uses} is not needed any more`)
}

/** Ways by which a file below the edge reaches Node through its imports, types not counted. */
export function hiddenEdges(sources: readonly Source[]): string[] {
  return belowEdge(sources).flatMap((source) =>
    source.imports
      .filter(
        ({ target, typeOnly }) => target !== null && !typeOnly && (isEdge(target) || EDGE_INDEXES.includes(target)),
      )
      .filter(({ target }) => !(OVER_NET.test(source.path) && target?.startsWith('src/net/')))
      .map(({ specifier, line }) =>
        complaint(source, line, `imports '${specifier}', which needs Node: import the very file you mean`),
      ),
  )
}

function belowEdge(sources: readonly Source[]): Source[] {
  return sources.filter(({ path }) => !isEdge(path) && !EDGE_INDEXES.includes(path))
}

/** The name of what `node` uses, when the edge alone may use it. */
function forbiddenUse(node: ts.Node): string | null {
  if (ts.isNewExpression(node) && node.expression.getText() === 'Date' && !node.arguments?.length) return 'new Date()'
  if (ts.isPropertyAccessExpression(node)) {
    const name = node.getText().replace(/^globalThis\??\./, '')
    if (MEMBERS.includes(name) || (name !== node.getText() && GLOBALS.includes(name))) return name
  }
  return ts.isIdentifier(node) && GLOBALS.includes(node.text) && isReference(node) ? node.text : null
}

/** Whether an identifier stands for a value in scope, and not for a property, a label or a name that is being declared. */
function isReference(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node
  if (ts.isBindingElement(parent)) return parent.initializer === node
  if (ts.isShorthandPropertyAssignment(parent)) return true
  return !('name' in parent && parent.name === node)
}
