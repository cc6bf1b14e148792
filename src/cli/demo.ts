// `tunstack demo`: Linux fetches a page from this TCP. In a network namespace of its own a TUN device comes up, our stack serves a page on
// one end of it, Linux's curl fetches it from the other; then every segment of the connection is shown, and what the time went into.
// Where no TUN can be had, two hosts of this stack do the same on a virtual network, and it says so.
// Owns: the course of the demonstration. Does not own: the page (demo-page.ts), the two ways to run it (demo-tun.ts, demo-virtual.ts),
// what is printed (demo-report.ts).

import { Command, Option } from 'commander'
import { parsePercent } from '../link/impair-options.ts'
import { printReport } from './demo-report.ts'
import { fetchOverTun } from './demo-tun.ts'
import type { DemoOptions } from './demo-types.ts'
import { fetchVirtually } from './demo-virtual.ts'
import { findNamespaceWay, isInsideNamespace, runInNamespace } from './namespace.ts'
import { parseDelay } from './read-options.ts'

interface Flags {
  delay: string
  loss: string
  seed: string
  virtual?: boolean
  pcap?: string
  json?: boolean
}

/** The subcommand. */
export function demoCommand(): Command {
  return new Command('demo')
    .description('Linux fetches a page from this TCP; shows every segment, and what the time went into')
    .addOption(
      new Option('--delay <time>', 'delay of each direction, so that there is something to see').default('10ms'),
    )
    .addOption(new Option('--loss <percent>', 'share of packets lost in each direction').default('0%'))
    .addOption(new Option('--seed <number>', 'repeats the losses of a run').default('1'))
    .option('--virtual', 'on the virtual network, even where a TUN device can be had')
    .option('--pcap <file>', 'write the packets to a pcapng file for Wireshark')
    .option('--json', 'the result as JSON on standard output')
    .action(async (flags: Flags) => {
      process.exitCode = await demo(flags)
    })
}

async function demo(flags: Flags): Promise<number> {
  const impairment = { delayUs: parseDelay(flags.delay), lossRate: parsePercent(flags.loss) }
  const seed = Number(flags.seed)
  if (!Number.isSafeInteger(seed)) throw new TypeError(`--seed ${flags.seed}: write a whole number`)
  const options: DemoOptions = { impairment, seed, pcap: flags.pcap }
  let fallback: string | null = flags.virtual ? 'asked for by --virtual' : null
  if (fallback === null && !isInsideNamespace()) {
    const way = findNamespaceWay()
    if (way.ok) return runInNamespace(way.flags)
    fallback = way.reason
  }
  const result = fallback === null ? await fetchOverTun(options) : await fetchVirtually(options, fallback)
  if (flags.json) process.stdout.write(`${JSON.stringify({ ...result, recorder: undefined }, null, 2)}\n`)
  else printReport(result)
  return result.resources.length > 0 && result.resources.every(({ isRight }) => isRight) ? 0 : 1
}
