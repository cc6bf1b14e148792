// `npm run beside-linux [part of a name]`: runs the scenarios and prints what differs; with a name also what happened, side by side.

import { spawnSync } from 'node:child_process'
import { KNOWN } from './known.ts'
import { besideLinux, SCENARIOS } from './run.ts'

const part = process.argv[2] ?? ''
const list = SCENARIOS.filter(({ name }) => name.includes(part))
const known = new Map(KNOWN.map((one) => [one.name, one]))

async function main(): Promise<void> {
  const verdicts = await besideLinux(list, ({ name, difference }) => {
    return (difference?.summary ?? null) === (known.get(name)?.summary ?? null)
  })
  for (const { name, difference } of verdicts) {
    const expected = known.get(name)
    const isKnown = (difference?.summary ?? null) === (expected?.summary ?? null)
    const state = difference === null ? (isKnown ? 'same' : 'GONE') : isKnown ? 'known' : 'NEW'
    console.log(`${state.padEnd(6)} ${name}${difference === null ? '' : `\n         ${difference.summary}`}`)
    if (difference !== null && (part !== '' || !isKnown)) console.log(difference.report)
  }
  const differing = verdicts.filter(({ difference }) => difference !== null).length
  console.log(`${verdicts.length} scenarios, ${differing} differ`)
}

// Users without privileges come here again inside a user namespace.
if (process.getuid?.() !== 0) {
  const again = ['--user', '--map-root-user', '--net', process.execPath, ...process.execArgv, ...process.argv.slice(1)]
  process.exit(spawnSync('unshare', again, { stdio: 'inherit' }).status ?? 1)
}
main().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error)
    process.exit(1)
  },
)
