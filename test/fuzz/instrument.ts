// Counters in every block of src: a copy of the sources in which each block that runs counts in a byte of `tunstackCoverage`, as plain
// JavaScript in a folder of its own. V8's own coverage tells the same, but takes milliseconds to read, and an input takes microseconds.
// Owns: where counters go, the copy. Does not own: what is made of the counts (search.ts).

import fs from 'node:fs'
import path from 'node:path'
import ts from 'typescript'

const MOST_BLOCKS = 48 * 1024

interface Insertion {
  readonly at: number
  readonly text: string
}

/** Numbers blocks over all files. */
export class Blocks {
  count = 0

  /** The counter of a new block. */
  next(): string {
    return `$c[${this.count < MOST_BLOCKS - 1 ? this.count++ : this.count}]++`
  }
}

/** The text of a source file with counters in it. Lines stay where they are. */
export function instrument(name: string, text: string, blocks: Blocks): string {
  const tree = ts.createSourceFile(name, text, ts.ScriptTarget.ES2023, true)
  const insertions: Insertion[] = []
  const add = (at: number, inserted: string): void => void insertions.push({ at, text: inserted })
  const wrapStatement = (node: ts.Statement): void => {
    if (ts.isBlock(node)) add(node.getStart() + 1, `${blocks.next()};`)
    else {
      add(node.getStart(), `{${blocks.next()};`)
      add(node.getEnd(), '}')
    }
  }
  const wrapExpression = (node: ts.Expression): void => {
    add(node.getStart(), `(${blocks.next()},`)
    add(node.getEnd(), ')')
  }
  const visit = (node: ts.Node): void => {
    if (ts.isIfStatement(node)) {
      // Of what ends at one place the last that was added comes first.
      if (node.elseStatement === undefined) add(node.getEnd(), ` else {${blocks.next()}}`)
      wrapStatement(node.thenStatement)
      if (node.elseStatement === undefined) return void ts.forEachChild(node, visit)
      if (!ts.isIfStatement(node.elseStatement)) wrapStatement(node.elseStatement)
    } else if (ts.isIterationStatement(node, false)) wrapStatement(node.statement)
    else if (ts.isCaseOrDefaultClause(node)) {
      if (node.statements.length > 0) add(node.statements[0].getStart(), `${blocks.next()};`)
    } else if (ts.isConditionalExpression(node)) {
      wrapExpression(node.whenTrue)
      wrapExpression(node.whenFalse)
    } else if (ts.isBinaryExpression(node) && isShortCircuit(node.operatorToken.kind)) wrapExpression(node.right)
    else if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
      if (ts.isBlock(node.body)) {
        if (!ts.isConstructorDeclaration(node)) add(node.body.getStart() + 1, `${blocks.next()};`)
      } else wrapExpression(node.body as ts.Expression)
    }
    ts.forEachChild(node, visit)
  }
  visit(tree)
  return apply(text, insertions)
}

function isShortCircuit(kind: ts.SyntaxKind): boolean {
  const { AmpersandAmpersandToken, BarBarToken, QuestionQuestionToken } = ts.SyntaxKind
  return kind === AmpersandAmpersandToken || kind === BarBarToken || kind === QuestionQuestionToken
}

/** At the same place an end goes before a beginning, inner ends before outer ones. */
function apply(text: string, insertions: readonly Insertion[]): string {
  const closes = (one: Insertion): boolean => one.text === ')' || one.text === '}' || one.text.startsWith(' else')
  const order = insertions.map((one, i) => ({ ...one, i }))
  order.sort((a, b) => {
    if (a.at !== b.at) return a.at - b.at
    if (closes(a) !== closes(b)) return closes(a) ? -1 : 1
    return closes(a) ? b.i - a.i : a.i - b.i
  })
  let out = 'const $c = (globalThis.tunstackCoverage ??= new Uint8Array(65536));'
  let from = 0
  for (const { at, text: inserted } of order) {
    out += text.slice(from, at) + inserted
    from = at
  }
  return out + text.slice(from)
}

/**
 * Makes the copy: src with counters, test/fuzz without, in `folder`, emptied before. Returns the number of blocks.
 * @param root the repository
 */
export function buildInstrumented(root: string, folder: string): number {
  const blocks = new Blocks()
  fs.rmSync(folder, { recursive: true, force: true })
  for (const part of ['src', 'test/fuzz']) {
    const files = fs.readdirSync(path.join(root, part), { recursive: true, encoding: 'utf8' })
    for (const file of files.filter((name) => name.endsWith('.ts')).sort()) {
      const from = path.join(part, file)
      const text = fs.readFileSync(path.join(root, from), 'utf8')
      const isPlain = part !== 'src' || /^(net|cli|index\.ts)/.test(file)
      const counted = isPlain ? text : instrument(from, text, blocks)
      const { outputText } = ts.transpileModule(counted, {
        compilerOptions: {
          target: ts.ScriptTarget.ES2023,
          module: ts.ModuleKind.ESNext,
          verbatimModuleSyntax: true,
          rewriteRelativeImportExtensions: true,
        },
      })
      const to = path.join(folder, from.replace(/\.ts$/, '.js'))
      fs.mkdirSync(path.dirname(to), { recursive: true })
      fs.writeFileSync(to, outputText)
    }
  }
  fs.writeFileSync(path.join(folder, 'package.json'), '{"type":"module"}')
  return blocks.count
}
