// Tests of the rules about style: each finds what it forbids, and lets pass what merely looks like it.

import { describe, expect, test } from 'vitest'
import { hiddenEdges, nodeGlobals, nodeImports, staleExceptions } from './edge.ts'
import { danglingImports, floorViolations, importCycles } from './floors.ts'
import * as rules from './rules.ts'
import { expectNone, type Source, sourceOf } from './source.ts'

type Rule = (sources: readonly Source[]) => string[]

/** What `rule` says about one file. */
function judge(rule: Rule, text: string, path = 'src/tcp/example.ts'): string[] {
  return rule([sourceOf(path, text)])
}

/** A test each: the rule complains once about every text of `bad`, and not at all about those of `good`. */
function cases(rule: Rule, path: string, texts: { bad: string[]; good: string[] }): void {
  test.each(texts.bad)('finds %j', (text) => expect(judge(rule, text, path)).toHaveLength(1))
  test.each(texts.good)('lets pass %j', (text) => expect(judge(rule, text, path)).toEqual([]))
}

describe('floors', () => {
  cases(floorViolations, 'src/ip/layer.ts', {
    bad: [
      "import { Tcb } from '../tcp/tcb.ts'",
      "import type { Tcb } from '../tcp/tcb.ts'",
      "export * from '../tcp/index.ts'",
      "type T = import('../tcp/tcb.ts').Tcb",
      "const later = () => import('../tcp/tcb.ts')",
      "import { pair } from '../link/pair.ts'",
      "import { helper } from '../../test/ip/helpers.ts'",
      "import { version } from '../index.ts'",
    ],
    good: [
      "import './routes.ts'",
      "import '../base/bytes.ts'",
      "import type { Packet } from '../link/device.ts'",
      "import 'node:net'",
    ],
  })

  test('the complaint names the file, the line, the import and what is allowed', () => {
    expect(judge(floorViolations, "\nimport { Tcb } from '../tcp/tcb.ts'", 'src/ip/layer.ts')).toEqual([
      "src/ip/layer.ts:2: imports '../tcp/tcb.ts', but ip may import only itself, base, link/device.ts",
    ])
  })

  test('sim and net do not import each other, and a new folder needs a line in the table', () => {
    expect(judge(floorViolations, "import '../net/host.ts'", 'src/sim/run.ts')).toHaveLength(1)
    expect(judge(floorViolations, "import '../sim/run.ts'", 'src/net/host.ts')).toHaveLength(1)
    expect(judge(floorViolations, '', 'src/attic/report.ts')[0]).toContain('not in the table')
  })

  test('an import of a file that is not there is found', () => {
    expect(judge(danglingImports, "import './gone.ts'")).toHaveLength(1)
    expect(judge(danglingImports, "import './example.ts'; import 'koffi'")).toEqual([])
  })

  test('a cycle is told once, as a path that returns to its start', () => {
    const a = sourceOf('src/tcp/a.ts', "import './b.ts'")
    const b = sourceOf('src/tcp/b.ts', "import type { C } from './c.ts'")
    const c = sourceOf('src/tcp/c.ts', "import './a.ts'")
    const told = 'src/tcp/a.ts:1: import cycle src/tcp/a.ts -> src/tcp/b.ts -> src/tcp/c.ts -> src/tcp/a.ts'
    expect(importCycles([a, b, c])).toEqual([told])
    expect(importCycles([c, b, a])).toEqual([told])
    expect(importCycles([a, b])).toEqual([])
  })
})

describe('the edge', () => {
  cases(nodeImports, 'src/link/pair.ts', {
    bad: [
      "import fs from 'node:fs'",
      "import { type A } from 'node:fs'",
      "import koffi from 'koffi'",
      "await import('node:fs')",
    ],
    good: ["import type { Duplex } from 'node:stream'", "type S = import('node:net').Socket"],
  })

  cases(nodeGlobals, 'src/tcp/layer.ts', {
    bad: [
      'const t = Date.now()',
      'const t = new Date()',
      'const t = performance.now()',
      'const r = Math.random()',
      'setTimeout(f, 1)',
      'setImmediate(f)',
      'globalThis.setTimeout(f, 1)',
      'const b = Buffer.from(x)',
      'f(process.env)',
      'const o = { process }',
    ],
    good: [
      'new Date(micros / 1000)',
      'scheduler.setTimeout(f, 1)',
      'const kind = { process: 1, Buffer: 2 }',
      'class Timers { setTimeout(at: number) {} }',
      'let b: Buffer | null = null',
      '// process.exit() and Date.now() in a comment',
      'const now = scheduler.now()',
    ],
  })

  test('the edge may, and virtual time may use setImmediate', () => {
    for (const path of ['src/net/host.ts', 'src/cli/ping.ts', 'src/link/tun-linux.ts', 'src/link/libc.ts']) {
      expect(judge(nodeImports, "import 'node:fs'", path)).toEqual([])
      expect(judge(nodeGlobals, 'setTimeout(f, 1)', path)).toEqual([])
    }
    expect(judge(nodeGlobals, 'setImmediate(f)', 'src/sim/virtual-time.ts')).toEqual([])
    expect(judge(nodeGlobals, 'setTimeout(f)', 'src/sim/virtual-time.ts')).toHaveLength(1)
    expect(judge(staleExceptions, '', 'src/sim/virtual-time.ts')).toHaveLength(1)
  })

  cases(hiddenEdges, 'src/sim/hosts.ts', {
    bad: ["import { pair } from '../link/index.ts'", "import { Tun } from '../link/tun.ts'"],
    good: ["import { pair } from '../link/pair.ts'", "import type { Tun } from '../link/tun.ts'"],
  })
})

describe('sizes', () => {
  cases(rules.longFiles, 'src/tcp/a.ts', { bad: ['x\n'.repeat(401)], good: ['x\n'.repeat(400)] })
  cases(rules.longFunctions, 'src/tcp/a.ts', {
    bad: [`function f() {\n${'x()\n'.repeat(69)}}`, `class A {\n get f() {\n${'x()\n'.repeat(69)}}\n}`],
    good: [`/** Long\n * doc. */\nfunction f() {\n${'x()\n'.repeat(68)}}`, `class A {\n${'x = 1\n'.repeat(100)}}`],
  })
  cases(rules.longLines, 'src/tcp/a.ts', { bad: ['x'.repeat(141)], good: ['x'.repeat(140)] })
})

describe('comments', () => {
  cases(rules.missingHeaders, 'src/tcp/a.ts', {
    bad: ['', "import './b.ts'", '/** A file. */', '//\n'],
    good: ['// What a file owns.\n', '#!/usr/bin/env node\n// A program.\n'],
  })

  cases(rules.missingDocs, 'src/tcp/a.ts', {
    bad: [
      'export const A = 1',
      'export function f(): void {}',
      'export interface I { a: 1 }',
      '/** A */ export type T = 1',
      '// A line is no doc comment.\nexport type T = 1',
      'const a = 1\nexport { a as b }',
      '/** A class. */ export class C { get a() { return 1 } }',
      '/** A class. */ export class C { go() {} }',
      '/** A class. */ export class C { static of() {} }',
    ],
    good: [
      'const a = 1',
      "export * from './b.ts'",
      '/** The one. */\n// biome-ignore lint: reason\nexport const A = 1',
      '/** A pair of them. */ export function f(a: 1): 1\nexport function f(a: 2): 2\nexport function f(a: unknown) { return a }',
      '/** A class. */ export class C { #a() {} private b() {} override c() {} toString() {} [Symbol.iterator]() {} constructor() {} }',
      '/** A class. */ export class C {\n/** The one. */ get a() { return 1 } set a(value) {} }',
      'interface I { go(): void } interface J extends I {}\n/** A class. */ export class C implements J { go() {} }',
    ],
  })

  cases(rules.oddReferences, 'src/tcp/a.ts', {
    bad: [
      '// RFC9293 §3.8',
      '// as in RFC9293.',
      '// see rfc 9293',
      '// RFC-9293',
      '// section 3.8.6',
      '// Sec. 3.8',
      '// RFC 9293 3.8.6',
      '// RFC 9293, §3.8.6',
      '// RFC 9293 § 3.8.6',
      '// MUST-13',
    ],
    good: [
      '// RFC 9293 §3.8.6.1 [MUST-13], [MUST-14, SHLD-2]',
      '// RFC 5681, RFC 6582 and RFC 6298 (5.3)',
      '// https://www.rfc-editor.org/rfc/rfc9293#section-3.8',
      'const RFC850 = /x/; RFC850.exec(text)',
      'ip.toRFC5952String()',
      '// one section, two rows',
    ],
  })
})

describe('leftovers', () => {
  cases(rules.leftovers, 'src/tcp/a.ts', {
    bad: [
      'let a: any',
      'f(a as any)',
      'let a: Map<string, any>',
      '// TODO: more',
      '// FIXME',
      '// @ts-ignore',
      '// @ts-nocheck',
    ],
    good: ['const any = 1', '// any of them', 'const TODOS = 1', '// @ts-expect-error a wrong caller'],
  })
  cases(rules.skippedTests, 'test/tcp/a.test.ts', {
    bad: [
      'test.skip("a", f)',
      'it.only("a", f)',
      'describe.skip("a", f)',
      'test.todo("a")',
      'test.only.each([])("a", f)',
    ],
    good: ['reader.skip(4)', 'test.each([])("a", f)', 'bytes.only(3)'],
  })
})

describe('the state of a connection', () => {
  cases(rules.stateAssignments, 'src/tcp/ack.ts', {
    bad: ["tcb.state = 'CLOSED'", "this.#tcb.state = 'CLOSED'", "record.state ??= 'CLOSED'"],
    good: ["if (tcb.state === 'CLOSED') f()", "enterState(tcb, 'CLOSED')", 'tcb.stateName = 1'],
  })

  test('src/tcp/state.ts assigns it, and other floors may have states of their own', () => {
    expect(judge(rules.stateAssignments, "tcb.state = 'CLOSED'", 'src/tcp/state.ts')).toEqual([])
    expect(judge(rules.stateAssignments, "this.state = 'body'", 'src/http/reader.ts')).toEqual([])
    expect(judge(rules.stateAssignments, "tcb.state = 'CLOSED'", 'src/stack/stack.ts')).toHaveLength(1)
  })
})

test('a failure lists every complaint', () => {
  expect(() => expectNone([])).not.toThrow()
  expect(() => expectNone(['a.ts:1: x', 'b.ts:2: y'])).toThrow('2 to mend:\n  a.ts:1: x\n  b.ts:2: y')
})
