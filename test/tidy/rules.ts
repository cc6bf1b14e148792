// The smaller rules: sizes, comments, spelling, and words that must not be left behind.
// Owns: one function for each rule, sources in, complaints out. Does not own: floors (floors.ts), Node at the edge (edge.ts).

import ts from 'typescript'
import { complaint, lineOf, type Source, walk } from './source.ts'

/** The bounds on sizes. */
export const MOST = { fileLines: 400, functionLines: 70, columns: 140 } as const

/** Files of more than 400 lines. */
export function longFiles(sources: readonly Source[]): string[] {
  return sources
    .filter(({ lines }) => lines.length > MOST.fileLines)
    .map((source) =>
      complaint(source, 1, `has ${source.lines.length} lines, more than ${MOST.fileLines}: split it by what it owns`),
    )
}

/** Functions, methods and accessors of more than 70 lines, signature and closing brace included, doc comment not. */
export function longFunctions(sources: readonly Source[]): string[] {
  return eachNode(sources, (node, source) => {
    if (!ts.isFunctionLike(node) || !('body' in node) || !node.body) return null
    const lines = source.tree.getLineAndCharacterOfPosition(node.end).line + 2 - lineOf(source, node)
    return lines > MOST.functionLines ? `${nameOf(node)} has ${lines} lines, more than ${MOST.functionLines}` : null
  })
}

/** Lines of more than 140 columns. */
export function longLines(sources: readonly Source[]): string[] {
  return eachLine(sources, (line) =>
    line.length > MOST.columns ? `has ${line.length} columns, more than ${MOST.columns}` : null,
  )
}

/** Files that do not begin with a `//` comment that says what they are. */
export function missingHeaders(sources: readonly Source[]): string[] {
  return sources
    .filter(({ text }) => !/^(#!.*\n)?\/\/ \S+ \S+/.test(text))
    .map((source) => complaint(source, 1, 'does not begin with a `//` comment that says what the file owns'))
}

/** Exported declarations, and public methods of exported classes, without a doc comment of at least two words. */
export function missingDocs(sources: readonly Source[]): string[] {
  const interfaces = interfaceMembers(sources)
  return sources.flatMap((source) => {
    const found: string[] = []
    for (const node of exportedDeclarations(source)) {
      if (!hasDoc(node)) found.push(complaint(source, node, `exports ${nameOf(node)} without a doc comment`))
      if (ts.isClassDeclaration(node)) found.push(...missingMemberDocs(source, node, interfaces))
    }
    return found
  })
}

/** References to RFCs in other forms than `RFC 9293 §3.8.6` and `[MUST-13]`. */
export function oddReferences(sources: readonly Source[]): string[] {
  return eachLine(sources, (line) => {
    const odd =
      /\bRFC-?\d+(?!\d*\s*=|\d*\.\w|\d)/.exec(line) ?? // RFC9293, but not a constant's name
      /(?<![\w/.])[Rr]fc[ -]?\d+/.exec(line) ?? // rfc 9293, but not in a URL or in FreeBSD's net.inet.tcp.rfc1323
      /\b[Ss]ec(?:tion|t?\.)\s*(?:\d|[A-F]\.\d)/.exec(line) ?? // section 3.8
      /\bRFC \d+(?:,| §) +(?:§\s*)?\d/.exec(line) ?? // RFC 9293, 3.8 and RFC 9293 § 3.8
      /\bRFC \d+ \d+\.\d/.exec(line) ?? // RFC 9293 3.8
      /(?<!\[|\[[^\]]*)\b(?:MUST|SHLD|MAY|REC)-\d+/.exec(line) // MUST-13 outside brackets
    return odd ? `'${odd[0]}': write \`RFC 9293 §3.8.6\` or \`[MUST-13]\`` : null
  })
}

/** The type `any`, comments that silence the compiler, and work left for later. */
export function leftovers(sources: readonly Source[]): string[] {
  return [
    ...eachNode(sources, (node) =>
      node.kind === ts.SyntaxKind.AnyKeyword ? 'uses the type any: unknown, or the real one' : null,
    ),
    ...eachLine(sources, (line) => {
      const word = new RegExp(`\\b(?:TO${''}DO|FIX${''}ME|XX${''}X)\\b|@ts-(?:ignore|nocheck)\\b`).exec(line)
      return word ? `says ${word[0]}: do it, or take it out` : null
    }),
  ]
}

/** Tests that are skipped, or that keep all others from running. */
export function skippedTests(sources: readonly Source[]): string[] {
  return eachNode(sources, (node) => {
    if (!ts.isPropertyAccessExpression(node) || !['skip', 'only', 'todo', 'fails'].includes(node.name.text)) return null
    return /^(test|it|describe|suite|bench)\b/.test(node.getText()) ? `${node.getText()}: every test runs` : null
  })
}

/** Assignments to the state of a connection outside src/tcp/state.ts, which alone knows the diagram. */
export function stateAssignments(sources: readonly Source[]): string[] {
  const others = sources.filter(({ path }) => path !== 'src/tcp/state.ts')
  return eachNode(others, (node, source) => {
    if (!ts.isBinaryExpression(node) || !isAssignment(node.operatorToken.kind)) return null
    const target = node.left.getText()
    const isTcb = source.path.startsWith('src/tcp/') || /\btcb!?\.state$/.test(target)
    return isTcb && /\.state$/.test(target) ? `assigns ${target}: only src/tcp/state.ts does that` : null
  })
}

function eachLine(sources: readonly Source[], judge: (line: string) => string | null): string[] {
  return sources.flatMap((source) =>
    source.lines.flatMap((line, index) => {
      const message = judge(line)
      return message === null ? [] : [complaint(source, index + 1, message)]
    }),
  )
}

function eachNode(sources: readonly Source[], judge: (node: ts.Node, source: Source) => string | null): string[] {
  return sources.flatMap((source) => {
    const found: string[] = []
    walk(source.tree, (node) => {
      const message = judge(node, source)
      if (message !== null) found.push(complaint(source, node, message))
    })
    return found
  })
}

/** The statements that declare what the file exports, by `export` or by a list of names; re-exports are documented at home. */
function exportedDeclarations({ tree }: Source): ts.Statement[] {
  const listed = new Set<string>()
  for (const statement of tree.statements) {
    if (!ts.isExportDeclaration(statement) || statement.moduleSpecifier || !statement.exportClause) continue
    if (!ts.isNamedExports(statement.exportClause)) continue
    for (const { name, propertyName } of statement.exportClause.elements) listed.add((propertyName ?? name).text)
  }
  const declared = new Set<string>() // of overloads the first alone needs a comment
  return tree.statements.filter((statement) => {
    const name = nameOf(statement)
    const isFirst = !(ts.isFunctionDeclaration(statement) && declared.has(name))
    declared.add(name)
    return isFirst && (listed.has(name) || hasModifier(statement, ts.SyntaxKind.ExportKeyword))
  })
}

/**
 * Public methods and accessors need a doc comment of their own, except where they have one elsewhere: what overrides (the base class),
 * what an implemented interface of ours declares, a setter beside its getter, and names everybody knows.
 */
function missingMemberDocs(source: Source, node: ts.ClassDeclaration, interfaces: InterfaceMembers): string[] {
  const known = new Set(['toString', 'toJSON', ...inheritedMembers(node, interfaces)])
  const found: string[] = []
  for (const member of node.members) {
    if (!ts.isMethodDeclaration(member) && !ts.isAccessor(member)) continue
    const name = member.name.getText()
    const isPrivate = ts.isPrivateIdentifier(member.name) || NOT_PUBLIC.some((kind) => hasModifier(member, kind))
    if (isPrivate || known.has(name) || ts.isComputedPropertyName(member.name)) continue
    known.add(name) // overloads, and the setter beside a getter
    if (hasModifier(member, ts.SyntaxKind.OverrideKeyword) || hasDoc(member)) continue
    found.push(complaint(source, member, `exports ${nameOf(node)}.${name} without a doc comment`))
  }
  return found
}

const NOT_PUBLIC = [ts.SyntaxKind.PrivateKeyword, ts.SyntaxKind.ProtectedKeyword]

type InterfaceMembers = ReadonlyMap<string, { readonly names: readonly string[]; readonly bases: readonly string[] }>

function interfaceMembers(sources: readonly Source[]): InterfaceMembers {
  const found = new Map<string, { names: string[]; bases: string[] }>()
  for (const { tree } of sources) {
    for (const statement of tree.statements) {
      if (!ts.isInterfaceDeclaration(statement)) continue
      const names = statement.members.flatMap((member) => (member.name ? [member.name.getText()] : []))
      found.set(statement.name.text, { names, bases: basesOf(statement) })
    }
  }
  return found
}

function inheritedMembers(node: ts.ClassDeclaration, interfaces: InterfaceMembers): string[] {
  const names: string[] = []
  const waiting = basesOf(node)
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    names.push(...(interfaces.get(name)?.names ?? []))
    waiting.push(...(interfaces.get(name)?.bases ?? []))
  }
  return names
}

function basesOf(node: ts.ClassDeclaration | ts.InterfaceDeclaration): string[] {
  return (node.heritageClauses ?? []).flatMap((clause) => clause.types.map((type) => type.expression.getText()))
}

function isAssignment(kind: ts.SyntaxKind): boolean {
  return kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment
}

function hasDoc(node: ts.Node): boolean {
  return ts.getJSDocCommentsAndTags(node).some((doc) => /\w+\W+\w+/.test(doc.getText()))
}

function hasModifier(node: ts.Node, kind: ts.SyntaxKind): boolean {
  return ts.canHaveModifiers(node) && (ts.getModifiers(node) ?? []).some((modifier) => modifier.kind === kind)
}

function nameOf(node: ts.Node): string {
  if (ts.isVariableStatement(node))
    return node.declarationList.declarations.map(({ name }) => name.getText()).join(', ')
  if (ts.isConstructorDeclaration(node)) return 'constructor'
  if ('name' in node && node.name) return (node.name as ts.Node).getText()
  return node.parent && 'name' in node.parent && node.parent.name
    ? (node.parent.name as ts.Node).getText()
    : 'a function'
}
