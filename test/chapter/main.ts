// `npm run chapter`: runs every experiment that docs/chapter shows and writes the pages' numbers, ladders and figures anew.
// `npm run chapter -- --check` writes nothing and tells what is stale.

import { blocksOf } from './blocks.ts'
import { brokenLinks, isRepeatable, pages, runCommands, stale, writeAll } from './pages.ts'

async function check(): Promise<string[]> {
  const wrong: string[] = []
  for (const page of pages()) {
    for (const block of blocksOf(page.text)) {
      const text = (await isRepeatable(block)) ? await stale(block) : ''
      if (text !== '') wrong.push(`${page.name}: ${text}`)
    }
    for (const link of brokenLinks(page)) wrong.push(`${page.name}: no file ${link}`)
    await runCommands(page)
  }
  return wrong
}

if (process.argv.includes('--check')) {
  const wrong = await check()
  for (const line of wrong) console.error(line)
  console.log(wrong.length === 0 ? 'docs/chapter is as the runs give it' : `${wrong.length} stale: npm run chapter`)
  process.exitCode = wrong.length === 0 ? 0 : 1
} else await writeAll((line) => console.log(line))
