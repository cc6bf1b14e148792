// The command line `tunstack`: which commands there are, and how a command line that cannot be meant is refused.
// Owns: the program, exit status 2. Does not own: any command (one file each).

import { Command, CommanderError } from 'commander'
import { demoCommand } from './demo.ts'
import { dhcpCommand } from './dhcp.ts'
import { digCommand } from './dig.ts'
import { EXIT } from './errors.ts'
import { fetchCommand } from './fetch.ts'
import { ipCommand } from './ip.ts'
import { iperf3Command } from './iperf3.ts'
import { labCommand } from './lab.ts'
import { reportError, stdoutLost } from './lifecycle.ts'
import { loadCommand } from './load.ts'
import { nstatCommand } from './nstat.ts'
import { packetdrillCommand } from './packetdrill.ts'
import { pingCommand } from './ping.ts'
import { printError } from './print.ts'
import { proxyCommand } from './proxy.ts'
import { replayCommand } from './replay.ts'
import { serveCommand } from './serve.ts'
import { ssCommand } from './ss.ts'
import { sweepCommand } from './sweep.ts'
import { tracerouteCommand } from './traceroute.ts'
import { packageVersion } from './version.ts'

const EXAMPLES = `
Examples:
  tunstack demo                                       two ends of a connection, drawn; needs no privileges
  sudo tunstack serve .                               then: curl http://10.77.0.2/
  sudo tunstack fetch -v http://10.77.0.1:8080/       from a server of this machine's kernel
  sudo tunstack ping -c 3 10.77.0.1
  sudo tunstack traceroute 10.78.0.2
  sudo tunstack dig www.example.com @10.77.0.1
  sudo tunstack load -c 50 -z 10s http://10.77.0.1/   how long the answers of a server take
  sudo tunstack dhcp --tun tap0                       an address for a host of ours on a TAP device
  sudo tunstack iperf3 -s                             then: iperf3 -c 10.77.0.2
  sudo tunstack ss -tin                               sockets of a running serve; ip addr, nstat: what else it has
  tunstack lab slow-start --report slow-start.html    an experiment in virtual time; needs no privileges
  tunstack sweep loss.yaml                            a grid of experiments times seeds, on all cores
  sudo tunstack proxy --cache                         then: curl -x 10.77.0.2:3128 http://10.77.0.1:8080/
  tunstack packetdrill tests/                         scripts in virtual time; needs no privileges
  unshare -Urn tunstack ping 10.77.0.1                without sudo, where /dev/net/tun may be opened

tunstack speaks TCP/IP itself. A TUN device joins it to this machine's kernel, which is 10.77.0.1 and fd77::1 to it;
it is 10.77.0.2 and fd77::2 to the kernel.

Exit status: 0 well, 1 failed, 2 bad command line, 77 no TUN device to be had, 130 or 143 after Ctrl-C or SIGTERM;
fetch has curl's.`

/** The whole program. */
export function program(): Command {
  const root = new Command('tunstack')
    .description(
      'A TCP/IP stack of its own: serve, fetch, ping, dig and iperf3 over a TUN device, and look at every packet.',
    )
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help, or that of a command')
    .showSuggestionAfterError(true)
    .addHelpText('after', EXAMPLES)
  for (const command of [
    demoCommand(),
    serveCommand(),
    fetchCommand(),
    pingCommand(),
    tracerouteCommand(),
    digCommand(),
    dhcpCommand(),
    iperf3Command(),
    loadCommand(),
    packetdrillCommand(),
    ssCommand(),
    ipCommand(),
    nstatCommand(),
    labCommand(),
    sweepCommand(),
    replayCommand(),
    proxyCommand(),
  ])
    root.addCommand(command)
  for (const command of [root, ...root.commands]) {
    command.exitOverride()
    command.configureOutput({ outputError: (text, write) => write(`${usageText(command, text)}\n`) })
  }
  return root
}

/** commander's `error: ...` in this program's words, with where to read on. */
function usageText(command: Command, text: string): string {
  const names = command.parent === null ? 'tunstack' : `tunstack ${command.name()}`
  const told = text
    .replace(/^error: /, 'tunstack: ')
    .replace(/\n\(Did you mean (.*)\?\)/, (_, known) => `; did you mean '${known}'?`)
    .replace(/( argument '.*' is invalid)\. /, '$1: ')
  return `${told.trimEnd()}\n  see ${names} --help`
}

/** Commands that `runCommand` runs end in order when nobody reads on (`| head`); the others have nothing to undo, and end here. */
function guardStdout(): void {
  const guard = (error: unknown): void => {
    if (process.stdout.listeners('error').some((one) => one !== guard)) return
    process.exit(reportError(stdoutLost(error)))
  }
  process.stdout.on('error', guard)
  process.stderr.on('error', () => undefined) // `2>&1 | head`
}

/**
 * Runs a command line and ends the process.
 * @param args without the program's own name
 */
export async function main(args: readonly string[]): Promise<void> {
  guardStdout()
  try {
    const root = program()
    if (args.length === 0) {
      printError(root.helpInformation().trimEnd())
      process.exit(EXIT.usage)
    }
    await root.parseAsync(args, { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? EXIT.ok : EXIT.usage)
    process.exit(reportError(error))
  }
}
