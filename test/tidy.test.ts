// Style is enforced by a test, not by review. Each rule is one test; a failure lists every place to mend as file:line.
// Owns: which rule holds where. Does not own: the rules (test/tidy/*.ts, with their own tests in test/tidy/rules.test.ts).

import { expect, test } from 'vitest'
import { hiddenEdges, nodeGlobals, nodeImports, staleExceptions } from './tidy/edge.ts'
import { danglingImports, FLOORS, floorOf, floorViolations, importCycles } from './tidy/floors.ts'
import * as rules from './tidy/rules.ts'
import { expectNone, filesIn, sourcesIn } from './tidy/source.ts'

const src = sourcesIn('src')
const tests = sourcesIn('test')
const all = [...src, ...tests, ...sourcesIn('bench')]
const notTidy = all.filter(({ path }) => !path.startsWith('test/tidy')) // whose own tests show what is wrong

/** Folders of test that are not named after a folder of src. */
const TEST_FOLDERS: Readonly<Record<string, string>> = {
  chapter: 'the pages of docs/chapter, made from runs of the lab',
  conformance: 'clauses of an RFC, over several floors',
  explore: 'small worlds searched whole: two stacks, every order of events, a bounded number of faults',
  fuzz: 'random input to anything that a peer controls',
  'beside-linux': 'scenarios that our stack and the kernel go through alike; run by interop',
  interop: "real TUN devices, Linux's own TCP, curl, nginx, a browser; a vitest project of its own",
  ledger: 'which clause is proven by which test; docs/ledger.md',
  swarm: 'whole networks in virtual time, each from one seed',
  tidy: 'the rules about style, and tests of the rules',
}

test('a file imports only from its own floor and the floors below it', () => expectNone(floorViolations(src)))

test('a floor is allowed only floors that come before it in the table', () => {
  const order = Object.keys(FLOORS)
  const upward = Object.entries(FLOORS).flatMap(([floor, allowed]) =>
    allowed.filter((entry) => !order.slice(0, order.indexOf(floor)).includes(entry.replace(/\/.*/, ''))),
  )
  expect(upward).toEqual([])
})

test('every import names a file that exists', () => expectNone(danglingImports(all)))

test('no file imports itself by way of others', () => expectNone(importCycles(src)))

test('below the edge no file imports Node or a package, except for types', () => expectNone(nodeImports(src)))

test('below the edge no file uses the clock, timers, randomness, process, Buffer or the console', () => {
  expectNone([...nodeGlobals(src), ...staleExceptions(src)])
})

test('below the edge no file imports one that needs Node', () => expectNone(hiddenEdges(src)))

test('files have at most 400 lines', () => expectNone(rules.longFiles(src)))

test('functions have at most 70 lines', () => expectNone(rules.longFunctions(src)))

test('lines have at most 140 columns', () => expectNone(rules.longLines(src)))

test('every file begins with a comment that says what it owns', () => expectNone(rules.missingHeaders(src)))

test('every exported declaration and public method has a doc comment', () => expectNone(rules.missingDocs(src)))

test('RFCs are referred to as RFC 9293 §3.8.6 and [MUST-13]', () => expectNone(rules.oddReferences(notTidy)))

test('nothing is of type any, silenced, or left for later', () => expectNone(rules.leftovers(notTidy)))

test('no test is skipped or runs alone', () => expectNone(rules.skippedTests(tests)))

test('only src/tcp/state.ts assigns the state of a connection (RFC 9293 §3.3.2)', () =>
  expectNone(rules.stateAssignments(src)))

test('every floor has an index file, except cli', () => {
  const indexes = new Set(src.map(({ path }) => path))
  const floors = new Set(
    src.map(({ path }) => floorOf(path)).filter((floor) => floor !== 'cli' && !floor.endsWith('.ts')),
  )
  expectNone(
    [...floors].filter((floor) => !indexes.has(`src/${floor}/index.ts`)).map((floor) => `src/${floor} has no index.ts`),
  )
})

test('every test file stands in a folder that mirrors one of src', () => {
  const folders = new Set(src.map(({ path }) => path.slice('src/'.length, path.lastIndexOf('/'))))
  const strays = filesIn('test', '.test.ts').filter((path) => {
    const folder = path.slice('test/'.length, path.lastIndexOf('/'))
    return folder !== '' && !folders.has(folder) && !(folder.split('/')[0]! in TEST_FOLDERS)
  })
  expectNone(strays.map((path) => `${path}: src has no such folder (others are listed in test/tidy.test.ts)`))
})
