// `tunstack demo`: Linux fetches a page from this TCP. In a network namespace of its own a TUN device comes up, our stack serves a page on
// one end of it, Linux's curl fetches it from the other; then every segment of the connection is shown, and what the time went into.
// Where no TUN can be had, two hosts of this stack do the same on a virtual network, and it says so. With --inspect it goes on afterwards.
// Owns: the course of the demonstration. Does not own: the page (demo-page.ts), the two ways to run it (demo-tun.ts, demo-virtual.ts),
// what is printed (demo-report.ts), how it goes on (demo-inspect.ts).

import { Command, Option } from 'commander'
import { parsePercent } from '../link/impair-options.ts'
import { keepOpen, openDoor } from './demo-inspect.ts'
import { printReport } from './demo-report.ts'
import { lossWarning, openTunScene } from './demo-tun.ts'
import type { DemoOptions, DemoResult } from './demo-types.ts'
import { fetchVirtually, openVirtualScene } from './demo-virtual.ts'
import { findNamespaceWay, isInsideNamespace, runInNamespace, takeDoor } from './namespace.ts'
import { printError } from './print.ts'
import { parseDelay, parseWhole, valueOption } from './read-options.ts'

interface Flags {
  delay: string
  loss: string
  seed: string
  virtual?: boolean
  pcap?: string
  json?: boolean
  /** A port, or true for the usual one. */
  inspect?: number | true
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
    .addOption(
      valueOption(
        '--inspect [port]',
        'go on, with a live page for a browser of this machine (default port: 8080)',
        (text) => parseWhole(text, 0, 65535),
      ),
    )
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
  if (fallback === null && isInsideNamespace()) return overTun(options, flags)
  const door = flags.inspect === undefined ? null : await openDoor(flags.inspect === true ? null : flags.inspect)
  if (fallback === null) {
    const way = findNamespaceWay()
    if (way.ok) return runInNamespace(way.flags, door)
    fallback = way.reason
  }
  const status = show(await fetchVirtually(options, fallback), flags)
  if (door === null) return status
  const scene = openVirtualScene(options, door)
  await keepOpen(door, scene)
  await scene.close()
  return status
}

async function overTun(options: DemoOptions, flags: Flags): Promise<number> {
  const door = flags.inspect === undefined ? null : await takeDoor()
  const scene = await openTunScene(options, door)
  try {
    const warning = lossWarning(options.impairment.lossRate ?? 0)
    if (warning !== null) printError(warning)
    const status = show(await scene.fetchPage(), flags)
    if (door !== null) await keepOpen(door, scene)
    return status
  } finally {
    await scene.close()
  }
}

/** Prints the result; the exit status. */
function show(result: DemoResult, { json }: Flags): number {
  if (json) process.stdout.write(`${JSON.stringify({ ...result, recorder: undefined }, null, 2)}\n`)
  else printReport(result)
  return result.resources.length > 0 && result.resources.every(({ isRight }) => isRight) ? 0 : 1
}
