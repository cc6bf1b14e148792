// `tunstack nstat`: the counters of a running instance, by the names and in the lines of Linux's nstat.
// Owns: the command. Does not own: asking (control-client.ts), counting.
// Values are those since the instance began: there is no history file, as with nstat's -a and -s.

import { Command, Option } from 'commander'
import { ask } from './control-client.ts'
import { EXIT } from './errors.ts'
import { runCommand } from './lifecycle.ts'
import type { RawOptions } from './options.ts'
import { print } from './print.ts'
import { instanceOption } from './ss.ts'

/** The command `nstat`. */
export function nstatCommand(): Command {
  return new Command('nstat')
    .summary('show the counters of a running tunstack')
    .description("Shows the counters of a running instance since it began, by nstat's names.")
    .argument('[names...]', 'counters to show; * stands for anything, as TcpExt*')
    .addOption(new Option('-z, --zeros', 'those that are 0 too'))
    .addOption(new Option('-j, --json', 'as JSON'))
    .addOption(new Option('-a, --ignore', 'for those who know nstat: values are always absolute'))
    .addOption(new Option('-s, --noupdate', 'for those who know nstat: there is no history'))
    .addOption(instanceOption())
    .action(async (names: string[], raw: RawOptions) => {
      await runCommand(async () => {
        const counters = await ask<Record<string, number>>(raw.instance as string | undefined, 'counters')
        for (const line of counterLines(counters, names, raw.zeros === true, raw.json === true)) print(line)
        return EXIT.ok
      })
    })
}

/** The lines; a name may hold `*`. */
export function counterLines(
  counters: Readonly<Record<string, number>>,
  names: readonly string[],
  withZeros: boolean,
  isJson: boolean,
): string[] {
  const patterns = names.map((name) => new RegExp(`^${name.replace(/[^A-Za-z0-9*]/g, '').replaceAll('*', '.*')}$`))
  const shown = Object.entries(counters).filter(
    ([name, value]) =>
      (withZeros || value !== 0) && (patterns.length === 0 || patterns.some((pattern) => pattern.test(name))),
  )
  if (isJson) return [JSON.stringify({ kernel: Object.fromEntries(shown) })]
  return ['#kernel', ...shown.map(([name, value]) => `${name.padEnd(32)}${String(value).padEnd(16)} 0.0`)]
}
