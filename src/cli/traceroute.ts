// `tunstack traceroute ADDRESS`: the routers on the way from our stack, as Linux's traceroute finds and prints them.
// Owns: the command and its words. Does not own: probes (traceroute-run.ts), lines (traceroute-format.ts).
// Exit status: 0, whether or not the end has answered, as Linux's; 2 for a command line that cannot be meant.

import { Command, Option } from 'commander'
import { SECOND } from '../base/time.ts'
import { parseAddress } from '../ip/address.ts'
import { EXIT, usageError } from './errors.ts'
import { type Lifecycle, runCommand } from './lifecycle.ts'
import { openHost } from './open-host.ts'
import { addHostOptions, type HostSettings, hostSettings, type RawOptions } from './options.ts'
import { print } from './print.ts'
import { parseSeconds, parseWhole, valueOption } from './read-options.ts'
import { hopObject } from './traceroute-format.ts'
import { probeHeaderBytes, TraceRun, type TraceSettings } from './traceroute-run.ts'

/** The command `traceroute`. */
export function tracerouteCommand(): Command {
  const whole = (least: number, most: number) => (text: string) => parseWhole(text, least, most)
  const command = new Command('traceroute')
    .summary('find the routers on the way')
    .description('Sends probes with growing hop limits to ADDRESS from a stack of its own behind a TUN device.')
    .argument('<address>', 'IPv4 or IPv6 address')
    .argument('[bytes]', 'length of the packets, headers included (default: 60, IPv6: 80)', whole(28, 65_000))
    .addOption(new Option('-I, --icmp', 'echo requests instead of UDP'))
    .addOption(new Option('-n, --numeric', 'each address once, without (address) behind it'))
    .addOption(new Option('-4', 'ADDRESS is one of IPv4').conflicts('6'))
    .addOption(new Option('-6', 'ADDRESS is one of IPv6'))
    .addOption(valueOption('-f, --first <hop>', 'begin with this hop limit', whole(1, 255)).default(1))
    .addOption(valueOption('-m, --max-hops <hops>', 'end with this one', whole(1, 255)).default(30))
    .addOption(valueOption('-q, --queries <n>', 'probes of each hop', whole(1, 10)).default(3))
    .addOption(valueOption('-N, --sim-queries <n>', 'probes under way at a time', whole(1, 255)).default(16))
    .addOption(valueOption('-p, --port <port>', 'port of the first UDP probe', whole(1, 60_000)).default(33_434))
    .addOption(
      valueOption('-w, --wait <seconds>', 'wait so long for each answer', (text) => parseSeconds(text, 0.001)).default(
        5,
      ),
    )
  addHostOptions(command)
  command.addHelpText(
    'after',
    '\nExamples:\n  sudo tunstack traceroute 10.78.0.2\n  sudo tunstack traceroute -I -n fd78::2',
  )
  return command.action(async (address: string, bytes: number | undefined, raw: RawOptions) => {
    const parsed = parseAddress(address)
    if (parsed === null) {
      throw usageError(`'${address}' is no IP address`, 'names are not resolved here: give an address, as 10.77.0.1')
    }
    const family = raw['4'] === true ? 4 : raw['6'] === true ? 6 : parsed.family
    if (family !== parsed.family) throw usageError(`${address} is no IPv${family} address`, `leave -${family} out`)
    const least = probeHeaderBytes(family)
    const settings: TraceSettings = {
      icmp: raw.icmp === true,
      isNumeric: raw.numeric === true,
      firstHop: raw.first as number,
      maxHops: raw.maxHops as number,
      queries: raw.queries as number,
      parallel: raw.simQueries as number,
      waitUs: (raw.wait as number) * SECOND,
      port: raw.port as number,
      packetBytes: Math.max(least, bytes ?? least + 32),
    }
    if (settings.firstHop > settings.maxHops) throw usageError('--first is beyond --max-hops')
    await runCommand((life) => trace(address, settings, hostSettings(raw), life), { normalSignals: ['SIGINT'] })
  })
}

async function trace(address: string, settings: TraceSettings, host: HostSettings, life: Lifecycle): Promise<number> {
  life.info = () => undefined
  const opened = await openHost(host, life)
  const run = host.json
    ? new TraceRun(
        opened.host,
        address,
        settings,
        () => undefined,
        (hop, answers) => print(hopObject(hop, answers)),
      )
    : new TraceRun(opened.host, address, settings, print)
  await Promise.race([run.run(life.stop), life.stopped()])
  return EXIT.ok
}
