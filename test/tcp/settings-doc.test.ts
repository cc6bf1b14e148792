// docs/settings.md: every setting of a connection with default, bounds and meaning, made from src/tcp/config.ts. After a change there
// `npx vitest run --project unit test/tcp/settings-doc.test.ts -u` writes it anew; a stale one fails here.

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { KNOBS, type TcpConfig } from '../../src/tcp/config.ts'

const source = readFileSync(new URL('../../src/tcp/config.ts', import.meta.url), 'utf8')

/** What the interface says of each setting; one without words of its own shares those of the one before. */
function meanings(): Map<string, string> {
  const body = /export interface TcpConfig \{\n([\s\S]*?)\n\}/.exec(source)?.[1] ?? ''
  const found = new Map<string, string>()
  let text = ''
  for (const [, comment, name] of body.matchAll(/(?:\/\*\*([\s\S]*?)\*\/\s*)?^ {2}(\w+): .*$/gm)) {
    if (comment !== undefined) text = comment.replace(/\s*\n\s*\* ?/g, ' ').trim()
    found.set(name, text)
  }
  return found
}

function amount(name: string, value: unknown): string {
  if (value === Number.POSITIVE_INFINITY) return 'Infinity'
  if (typeof value !== 'number') return String(value)
  if (!name.endsWith('Us') || value <= 0) return value.toLocaleString('en')
  if (value % 60e6 === 0) return `${value / 60e6} min`
  if (value % 1e6 === 0) return `${value / 1e6} s`
  return `${value / 1e3} ms`
}

function row(name: keyof TcpConfig, meaning: string): string {
  const {
    default: value,
    least,
    most,
    isFixed,
    oneOf,
  } = KNOBS[name] as {
    default: unknown
    least?: number
    most?: number
    isFixed?: boolean
    oneOf?: readonly string[]
  }
  const words = typeof value === 'boolean' ? 'true, false' : (oneOf?.join(', ') ?? '')
  const bounds = least === undefined ? words : `${amount(name, least)} to ${amount(name, most)}`
  const escaped = meaning.replaceAll('|', '\\|')
  return `| \`${name}\` | ${amount(name, value)} | ${bounds} | ${isFixed === true ? 'opening' : 'any time'} | ${escaped} |`
}

test('docs/settings.md tells of every setting what the code says', async () => {
  const told = meanings()
  const names = Object.keys(KNOBS) as (keyof TcpConfig)[]
  expect([...told.keys()].sort()).toEqual([...names].sort())
  for (const name of names) expect(told.get(name), name).not.toBe('')
  const page = [
    '# Settings of a connection',
    '',
    'For a host (`createHost({ tcp: { ... } })`), a listener (`host.listen({ tcp })`), a connection (`host.connect({ tcp })`), on the command line',
    '(`--set name=value`); those marked "any time" also while the connection lives (`socket.configure({ ... })`). In the library names that end',
    'in `Us` are microseconds, in `Bytes` bytes.',
    '',
    '| setting | default | values | may change | meaning |',
    '| --- | --- | --- | --- | --- |',
    ...[...told].map(([name, meaning]) => row(name as keyof TcpConfig, meaning)),
    '',
  ].join('\n')
  await expect(page).toMatchFileSnapshot('../../docs/settings.md')
})
