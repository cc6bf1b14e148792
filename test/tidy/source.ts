// The project's source files as the tidy rules see them: path, text, lines, syntax tree, imports.
// Owns: reading and parsing, walking, and the form of a complaint. Does not own: what is right or wrong (floors.ts, edge.ts, rules.ts).
//
// Files are parsed one by one, without types: all rules together take a second or two.

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import ts from 'typescript'

/** The project's root folder, absolute. */
export const ROOT = resolve(import.meta.dirname, '../..')

/** One import, export-from, `import()` or `import('...').Type` of a file. */
export interface Import {
  /** As written: `../base/time.ts`, `node:net`, `koffi`. */
  readonly specifier: string
  /** The file meant, relative to the root; null for packages and `node:` modules. */
  readonly target: string | null
  /** Leaves no trace in the JavaScript. `import { type A }` does leave one (`import {}`), `import type { A }` does not. */
  readonly typeOnly: boolean
  readonly line: number
}

/** One parsed file. */
export interface Source {
  /** Relative to the root, with forward slashes: `src/tcp/ack.ts`. */
  readonly path: string
  readonly text: string
  readonly lines: readonly string[]
  readonly tree: ts.SourceFile
  readonly imports: readonly Import[]
}

/** Parses `text` as the file `path`. */
export function sourceOf(path: string, text: string): Source {
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS)
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  return { path, text, lines, tree, imports: importsOf(path, tree) }
}

/** Paths of all files in `folder` (relative to the root) whose names end in `ending`, sorted; none when there is no such folder. */
export function filesIn(folder: string, ending = '.ts'): string[] {
  try {
    return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
      .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
      .sort()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** Reads and parses all TypeScript files in `folder`. */
export function sourcesIn(folder: string): Source[] {
  return filesIn(folder).map((path) => sourceOf(path, readFileSync(join(ROOT, path), 'utf8')))
}

/** Calls `visit` for `node` and everything below it; where `visit` returns false, nothing below is visited. */
export function walk(node: ts.Node, visit: (node: ts.Node) => unknown): void {
  if (visit(node) === false) return
  ts.forEachChild(node, (child) => walk(child, visit))
}

/** The 1-based line on which `node` starts, without its comments. */
export function lineOf(source: Source, node: ts.Node): number {
  return source.tree.getLineAndCharacterOfPosition(node.getStart(source.tree)).line + 1
}

/** A complaint, in the form that terminals and editors make a link of. */
export function complaint(source: Source, where: ts.Node | number, message: string): string {
  return `${source.path}:${typeof where === 'number' ? where : lineOf(source, where)}: ${message}`
}

/** Fails with all the complaints, one to a line, when there are any. */
export function expectNone(complaints: readonly string[]): void {
  if (complaints.length === 0) return
  const error = new Error(`${complaints.length} to mend:\n  ${complaints.join('\n  ')}`)
  Error.captureStackTrace(error, expectNone) // the test's line is the one to show
  throw error
}

function importsOf(path: string, tree: ts.SourceFile): Import[] {
  const found: Import[] = []
  const add = (at: ts.Node, specifier: ts.Node | undefined, typeOnly: boolean) => {
    if (!specifier || !ts.isStringLiteral(specifier)) return
    const local = specifier.text.startsWith('.')
    found.push({
      specifier: specifier.text,
      target: local ? join(dirname(path), specifier.text) : null,
      typeOnly,
      line: tree.getLineAndCharacterOfPosition(at.getStart(tree)).line + 1,
    })
  }
  walk(tree, (node) => {
    if (ts.isImportDeclaration(node)) add(node, node.moduleSpecifier, node.importClause?.phaseModifier === TYPE)
    if (ts.isExportDeclaration(node)) add(node, node.moduleSpecifier, node.isTypeOnly)
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node, node.argument.literal, true)
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node, node.arguments[0], false)
    }
  })
  return found
}

const TYPE = ts.SyntaxKind.TypeKeyword
