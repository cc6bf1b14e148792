// The HTML of the live page. Owns: putting it together, once. Does not own: its script and style (assets/inspect), which hold all of it.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { congestionControlNames } from '../tcp/congestion/index.ts'
import { TRANSITIONS } from '../tcp/state.ts'

const asset = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`../../assets/${name}`, import.meta.url)), 'utf8')

let page: string | null = null

/** The page: one file that asks for nothing else. */
export function inspectPage(): string {
  const data = JSON.stringify({ transitions: TRANSITIONS, congestion: congestionControlNames() }).replace(
    /</g,
    '\\u003c',
  )
  page ??= asset('inspect/page.html')
    .replace('/* STYLE */', () => asset('base.css') + asset('inspect/page.css'))
    .replace('"DATA"', () => data)
    .replace('/* SCRIPT */', () => asset('inspect/page.js'))
  return page
}
