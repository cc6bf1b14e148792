// The pages of docs/chapter and their figures: made from their own text and from runs.
// Owns: which files there are, making them, telling what is stale. Does not own: what a block shows (blocks.ts).

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Block, blocksOf, type Shown, show, withTexts } from './blocks.ts'
import { checkCommand, commandsIn, outcomeOf } from './command.ts'

const PAGES = fileURLToPath(new URL('../../docs/chapter/', import.meta.url))
const FIGURES = fileURLToPath(new URL('../../docs/figures/chapter/', import.meta.url))

/** A page as it stands. */
export interface Page {
  readonly name: string
  readonly text: string
}

/** The pages, by their names. */
export function pages(): Page[] {
  return readdirSync(PAGES)
    .filter((name) => name.endsWith('.md'))
    .sort()
    .map((name) => ({ name, text: readFileSync(`${PAGES}${name}`, 'utf8') }))
}

/** What of a block is not as the run gives it; '' when all is. */
export async function stale(block: Block): Promise<string> {
  const shown = await show(block)
  const what = `${block.command} | ${block.wanted}`
  if (shown.text !== block.text) return `${what}: the page has something else`
  if (shown.figure === null) return ''
  const path = `${FIGURES}${shown.figure.name}`
  return existsSync(path) && readFileSync(path, 'utf8') === shown.figure.svg ? '' : `${what}: the figure is another`
}

/** Links of a page to files that are not there. */
export function brokenLinks({ text }: Page): string[] {
  const links = [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, link]) => link)
  return links.filter((link) => !/^https?:/.test(link) && !existsSync(`${PAGES}${link}`))
}

/** Whether what a run gives repeats on every machine: TLS's keys, and lengths with the version of OpenSSL, do not. */
export async function isRepeatable({ command }: Pick<Block, 'command'>): Promise<boolean> {
  return (await outcomeOf(command)).worlds.every(({ hasTls }) => !hasTls)
}

/** Makes all pages anew and runs every command that they show; the names of what was written. */
export async function writeAll(tell: (line: string) => void): Promise<void> {
  mkdirSync(FIGURES, { recursive: true })
  const used = new Set<string>()
  for (const page of pages()) {
    const shown: Shown[] = []
    for (const block of blocksOf(page.text)) shown.push(await show(block))
    for (const { figure } of shown) {
      if (figure === null) continue
      used.add(figure.name)
      writeFileSync(`${FIGURES}${figure.name}`, figure.svg)
    }
    writeFileSync(
      `${PAGES}${page.name}`,
      withTexts(
        page.text,
        shown.map(({ text }) => text),
      ),
    )
    const commands = await runCommands(page)
    tell(`${page.name}: ${shown.length} blocks, ${commands} commands run`)
  }
  for (const name of readdirSync(FIGURES)) if (!used.has(name)) rmSync(`${FIGURES}${name}`)
  tell(`${used.size} figures in docs/figures/chapter`)
}

/** Runs the commands of a page; how many. @throws what a run throws */
export async function runCommands({ text }: Page): Promise<number> {
  const lines = commandsIn(text)
    .map(checkCommand)
    .filter((line) => line !== '' && !line.includes('--list'))
  for (const line of lines) await outcomeOf(line)
  return lines.length
}
