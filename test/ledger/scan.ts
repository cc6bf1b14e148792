// The titles of all tests and the tags in all comments, each with where it stands.
// Owns: reading titles out of test files (templates included), the name of what encloses a comment. Does not own: what they prove (pages.ts).

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { ROOT, type Source, sourcesIn, walk } from '../tidy/source.ts'

/** A test: its title behind those of the groups it stands in, `…` for what a template fills in. */
export interface Title {
  readonly path: string
  readonly text: string
}

/** Something named in the source, under a comment. */
export interface Place {
  readonly path: string
  /** The function, method or field; empty: the file as a whole. */
  readonly name: string
}

/** All titles, in the order of files. */
export function titles(sources: readonly Source[] = sourcesIn('test')): Title[] {
  return sources
    .filter(({ path }) => path.endsWith('.test.ts') && !path.startsWith('test/tidy'))
    .flatMap(({ path, tree }) => {
      const found: Title[] = []
      const visit = (node: ts.Node, groups: string): void => {
        const title = ts.isCallExpression(node) ? titleOf(node) : null
        const isTest = title !== null && !isGroup(node as ts.CallExpression)
        if (isTest) found.push({ path, text: groups + title })
        else ts.forEachChild(node, (child) => visit(child, title === null ? groups : `${groups}${title}: `))
      }
      visit(tree, '')
      return found
    })
}

const SCRIPTS = 'test/packetdrill/scripts'

/** What the scripts in packetdrill's language say that they show: the first comment of each, which is the title of its test. */
export function scriptTitles(): Title[] {
  return readdirSync(join(ROOT, SCRIPTS), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.pkt') && name.includes('/'))
    .sort()
    .map((name) => {
      const path = `${SCRIPTS}/${name}`
      const [comment] = /^(?:\/\/(?! Linux).*\n)*/.exec(readFileSync(join(ROOT, path), 'utf8')) ?? ['']
      return {
        path,
        text: comment
          .replace(/\n?\/\/ /g, ' ')
          .trim()
          .replace(/\.$/, ''),
      }
    })
}

const calleeOf = (node: ts.CallExpression): string => /^\w+/.exec(node.expression.getText())?.[0] ?? ''
const isGroup = (node: ts.CallExpression): boolean => ['describe', 'suite'].includes(calleeOf(node))

function titleOf(node: ts.CallExpression): string | null {
  if (!['test', 'it', 'scenario', 'describe', 'suite'].includes(calleeOf(node))) return null
  const [first] = node.arguments
  return first === undefined ? null : literal(first)
}

function literal(node: ts.Expression): string | null {
  if (ts.isStringLiteralLike(node)) return node.text
  if (ts.isTemplateExpression(node)) {
    return node.head.text + node.templateSpans.map((span) => `…${span.literal.text}`).join('')
  }
  if (!ts.isBinaryExpression(node) || node.operatorToken.kind !== ts.SyntaxKind.PlusToken) return null
  const [left, right] = [literal(node.left), literal(node.right)]
  return left === null || right === null ? null : left + right
}

/** Every comment of `src`, with the name of what it stands on or in. */
export interface Remark extends Place {
  readonly text: string
}

/** All comments, and all names that are declared (a `Place` that is written by hand must be among them). */
export function remarks(sources: readonly Source[] = sourcesIn('src')): { remarks: Remark[]; places: Set<string> } {
  const found: Remark[] = []
  const places = new Set<string>()
  for (const source of sources) {
    const named = namedIn(source)
    places.add(source.path)
    for (const { name } of named) places.add(`${source.path} ${name}`)
    for (const { text, at } of commentsIn(source)) {
      const inside = named.filter(({ start, end }) => start <= at && at < end)
      const name = inside.reduce((best, one) => (one.end - one.start < best.end - best.start ? one : best), WHOLE).name
      found.push({ path: source.path, name, text })
    }
  }
  return { remarks: found, places }
}

interface Named {
  readonly name: string
  readonly start: number
  readonly end: number
}

const WHOLE: Named = { name: '', start: 0, end: Number.POSITIVE_INFINITY }

/** Declarations with their comments before them; members under the name of their class or interface. */
function namedIn({ tree, text }: Source): Named[] {
  const found: Named[] = []
  const header = /^(#!.*\n)?(\/\/.*\n)+/.exec(text)?.[0].length ?? 0
  walk(tree, (node) => {
    const name = nameOf(node)
    if (name === null) return
    const span = ts.isVariableDeclaration(node) ? node.parent.parent : node
    found.push({ name, start: Math.max(header, span.getFullStart()), end: span.end })
  })
  return found
}

function nameOf(node: ts.Node): string | null {
  if (ts.isVariableDeclaration(node)) {
    const isTop = ts.isVariableStatement(node.parent.parent) && ts.isSourceFile(node.parent.parent.parent)
    return isTop && ts.isIdentifier(node.name) ? node.name.text : null
  }
  if (ts.isFunctionDeclaration(node) || ts.isClassDeclaration(node) || ts.isInterfaceDeclaration(node)) {
    return node.name?.text ?? null
  }
  if (ts.isTypeAliasDeclaration(node)) return node.name.text
  if (!ts.isClassElement(node) && !ts.isTypeElement(node)) return null
  const owner = node.parent
  if (!ts.isClassDeclaration(owner) && !ts.isInterfaceDeclaration(owner)) return null
  const member = node.name === undefined ? 'constructor' : node.name.getText()
  return `${owner.name?.text}.${member}`
}

/** Comments with a place they belong to: behind code on the same line that code, otherwise where they stand. Runs of `//` are one. */
function commentsIn({ text }: Source): { text: string; at: number }[] {
  const found: { text: string; at: number }[] = []
  const comments = /(?:\/\*[\s\S]*?\*\/)|(?:^[ \t]*\/\/.*\n)+|\/\/.*/gm
  for (const match of text.matchAll(comments)) {
    const lineStart = text.lastIndexOf('\n', match.index) + 1
    const before = text.slice(lineStart, match.index).trimEnd()
    const start = match.index + match[0].search(/\S/)
    found.push({
      text: match[0].replace(/\s*\n\s*(?:\*|\/\/) ?/g, ' '),
      at: before === '' ? start : lineStart + before.length - 1,
    })
  }
  return found
}

/** Whether `text` has `tag`: `[MUST-1]` also in `[MUST-1, SHLD-2]`; of `RFC 5681 §3.1` neither `§3.1.2` nor `RFC 5681 §4`. */
export function hasTag(text: string, tag: string): boolean {
  if (tag.startsWith('[')) return new RegExp(`\\[[^\\]]*\\b${tag.slice(1, -1)}\\b[^\\]]*\\]`).test(text)
  const [, number, section] = /^RFC (\d+) §(.*)$/.exec(tag) ?? []
  const cited = new RegExp(`RFC ${number}((?:,? (?:and )?§[\\w.]*\\w)+)`, 'g')
  return [...text.matchAll(cited)].some(([, list]) =>
    list.split('§').some((one) => one.replace(/[\s,]*(and)?\s*$/, '') === section),
  )
}
