// `tunstack ss`: the sockets of a running instance, as Linux's ss shows the kernel's.
// Owns: the command. Does not own: asking (control-client.ts), which sockets (ss-filter.ts), the lines (ss-format.ts).

import { Command, Option } from 'commander'
import { formatEndpoint, parseAddress } from '../ip/address.ts'
import type { InstanceRecord, SocketRecord } from './control-answers.ts'
import { ask } from './control-client.ts'
import { EXIT } from './errors.ts'
import { runCommand } from './lifecycle.ts'
import type { RawOptions } from './options.ts'
import { print } from './print.ts'
import { socketFilter } from './ss-filter.ts'
import { socketLines } from './ss-format.ts'

/** `--instance`, for every command that asks. */
export function instanceOption(): Option {
  return new Option('--instance <name>', 'which one, where several run (default: the only one)')
}

const FLAGS: readonly (readonly [string, string])[] = [
  ['-t, --tcp', 'TCP'],
  ['-u, --udp', 'UDP'],
  ['-l, --listening', 'listening sockets only'],
  ['-a, --all', 'all of them'],
  ['-n, --numeric', 'numbers, not names: always so here'],
  ['-i, --info', "tcp_info's values, by ss's names"],
  ['-e, --extended', 'a number for each socket'],
  ['-m, --memory', 'buffers'],
  ['-o, --options', 'timers'],
  ['-p, --processes', 'the process'],
  ['-4, --ipv4', 'IPv4'],
  ['-6, --ipv6', 'IPv6'],
  ['-H, --no-header', 'no titles'],
  ['-O, --oneline', 'one line for each socket'],
  ['-j, --json', 'all that is known, as JSON'],
]

/** The command `ss`. */
export function ssCommand(): Command {
  const command = new Command('ss')
    .summary('show the sockets of a running tunstack')
    .description("Shows the sockets of a running instance (serve, iperf3, ping) as Linux's ss shows the kernel's.")
    .argument('[filter...]', 'state NAME, exclude NAME, sport|dport = :PORT, src|dst ADDRESS[/LENGTH][:PORT]')
  for (const [flags, text] of FLAGS) command.addOption(new Option(flags, text))
  command.addOption(instanceOption())
  command.addHelpText(
    'after',
    '\nExamples:\n  sudo tunstack ss -tin\n  sudo tunstack ss -ta state time-wait dst 10.77.0.0/24',
  )
  return command.action(async (words: string[], raw: RawOptions) => {
    await runCommand(() => ss(words, raw))
  })
}

async function ss(words: readonly string[], raw: RawOptions): Promise<number> {
  const is = (name: string): boolean => raw[name] === true
  const [tcp, udp] = [is('tcp'), is('udp')]
  const family = is('ipv4') === is('ipv6') ? 0 : is('ipv4') ? 4 : 6
  const filter = socketFilter({ tcp, udp, listening: is('listening'), all: is('all'), family }, words)
  const name = raw.instance as string | undefined
  const sockets = (await ask<SocketRecord[]>(name, 'sockets')).filter(filter)
  if (is('json')) {
    for (const socket of sockets) print(JSON.stringify(withEnds(socket)))
    return EXIT.ok
  }
  const { pid } = is('processes') ? await ask<InstanceRecord>(name, 'instance') : { pid: 0 }
  const lines = socketLines(sockets, {
    info: is('info'),
    extended: is('extended'),
    memory: is('memory'),
    timers: is('options'),
    processes: is('processes'),
    header: raw.header !== false,
    oneLine: is('oneline'),
    netid: tcp === udp,
    process: { name: 'tunstack', pid },
  })
  for (const line of lines) print(line)
  return EXIT.ok
}

function withEnds(socket: SocketRecord): object {
  const end = (text: string | null, port: number): string => {
    const address = text === null ? null : parseAddress(text)
    return address === null ? `${text ?? '*'}:${port}` : formatEndpoint(address, port)
  }
  return { ...socket, ends: [end(socket.local, socket.localPort), end(socket.remote, socket.remotePort)] }
}
