// `npm run ledger`: writes docs/ledger.md, docs/rfc9293.md and docs/other-rfcs.md, and tells what is wrong with the ledger.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../tidy/source.ts'
import { RFCS } from './clauses.ts'
import { pages, problems, prove } from './pages.ts'
import { remarks, scriptTitles, titles } from './scan.ts'

const evidence = { titles: [...titles(), ...scriptTitles()], ...remarks() }
const proven = prove(RFCS, evidence)
for (const [path, text] of pages(proven)) writeFileSync(join(ROOT, path), text)
const wrong = problems(proven, evidence)
for (const line of wrong) console.error(line)
process.exitCode = wrong.length === 0 ? 0 : 1
