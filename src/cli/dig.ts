// `tunstack dig NAME [TYPE] [@server]`: one question of DNS from our stack, its reply in dig's words.
// Owns: the command and its words. Does not own: the lines (dig-format.ts), asking (net/dns.ts).
// Exit status: 0 with a reply, whatever it says; 9 when no server answered, as dig's; 2 for a command line that cannot be meant.

import { Command } from 'commander'
import { CLASS, isName, parseServer, type Question, reverseName, TYPE, typeNumber } from '../dns/index.ts'
import { formatEndpoint, parseAddress } from '../ip/address.ts'
import { digLines, digObject, shortLines } from './dig-format.ts'
import { EXIT, usageError } from './errors.ts'
import { type Lifecycle, runCommand } from './lifecycle.ts'
import { openHost } from './open-host.ts'
import { addHostOptions, type HostSettings, hostSettings, type RawOptions } from './options.ts'
import { print, printError } from './print.ts'

/** dig's exit status when no server answers. */
const NO_REPLY = 9

/** What dig's words ask for. */
export interface DigRequest {
  readonly question: Question
  /** `10.0.0.1`, `[fd00::1]:5353`; null: the default. */
  readonly server: string | null
  readonly isShort: boolean
  readonly tcpOnly: boolean
  readonly hasEdns: boolean
  readonly recursionDesired: boolean
  readonly timeoutMs: number
  readonly tries: number
}

/** The command `dig`. */
export function digCommand(): Command {
  const command = new Command('dig')
    .summary('ask a DNS server')
    .description('Asks a DNS server for records, from a stack of its own behind a TUN device.')
    .argument('<words...>', 'NAME [TYPE] [@server[:port]] [+short] [+tcp] [+noedns] [+norecurse] [+time=s] [+tries=n]')
    .option('-x, --reverse', 'NAME is an address: ask for its names')
  addHostOptions(command)
  command.addHelpText(
    'after',
    "\nThe server is the kernel's end of the device unless another is given.\n" +
      '\nExamples:\n  sudo tunstack dig www.example.com @10.77.0.1\n  sudo tunstack dig example.com mx +short\n' +
      '  sudo tunstack dig -x 192.0.2.1 @10.77.0.1:5353 --loss 20%',
  )
  return command.action(async (words: string[], raw: RawOptions) => {
    const request = digRequest(words, raw.reverse === true)
    const settings = hostSettings(raw)
    await runCommand((life) => dig(request, words, settings, life), { normalSignals: [] })
  })
}

/** Reads dig's words, in any order as dig does. @throws {CliError} for one that cannot be meant */
export function digRequest(words: readonly string[], isReverse: boolean): DigRequest {
  const wish = { server: null as string | null, isShort: false, tcpOnly: false, hasEdns: true, recursionDesired: true }
  const numbers = { time: 5, tries: 3 }
  const plain: string[] = []
  for (const word of words) {
    const number = /^\+(time|tries)=([0-9]{1,2})$/.exec(word)
    if (word.startsWith('@')) wish.server = serverText(word.slice(1))
    else if (number !== null) numbers[number[1] as 'time' | 'tries'] = Number(number[2])
    else if (word === '+short') wish.isShort = true
    else if (word === '+tcp' || word === '+vc') wish.tcpOnly = true
    else if (word === '+noedns') wish.hasEdns = false
    else if (word === '+norecurse' || word === '+norec') wish.recursionDesired = false
    else if (word.startsWith('+')) throw usageError(`dig does not know '${word}'`, 'see tunstack dig --help')
    else plain.push(word)
  }
  if (numbers.time < 1 || numbers.time > 30) throw usageError('+time is from 1 to 30 seconds')
  if (numbers.tries < 1 || numbers.tries > 5) throw usageError('+tries is from 1 to 5')
  const rest = { ...wish, timeoutMs: numbers.time * 1000, tries: numbers.tries }
  return { question: digQuestion(plain, isReverse), ...rest }
}

function digQuestion(plain: readonly string[], isReverse: boolean): Question {
  const [first, second, ...others] = plain
  if (first === undefined || others.length > 0) throw usageError('dig takes a name and at most one type')
  const type = second === undefined ? (isReverse ? TYPE.PTR : TYPE.A) : typeNumber(second)
  if (type < 0) throw usageError(`'${second}' is no type of record`, 'as A, AAAA, MX, TXT, SRV, HTTPS or TYPE65')
  const address = isReverse ? parseAddress(first) : null
  if (isReverse && address === null) throw usageError(`'${first}' is no IP address`, '-x asks for the names of one')
  if (!isName(first)) throw usageError(`'${first}' is no domain name`, 'labels of 1 to 63 letters, 255 in all')
  const name = address === null ? first.replace(/\.$/, '') : reverseName(address)
  return { name, type, class: CLASS.IN }
}

function serverText(text: string): string {
  if (parseServer(text) !== null) return text
  throw usageError(`'@${text}' is no server`, 'give its address, as @10.77.0.1, @fd77::1 or @10.77.0.1:5353')
}

async function dig(
  request: DigRequest,
  words: readonly string[],
  settings: HostSettings,
  life: Lifecycle,
): Promise<number> {
  life.info = () => undefined
  const { host, scheduler } = await openHost(settings, life)
  const server = request.server ?? settings.peers[0]?.address.toString()
  if (server === undefined) throw usageError('there is no server to ask', 'give one, as @10.77.0.1')
  const resolver = host.resolver({
    servers: [server],
    timeoutMs: request.timeoutMs,
    attempts: request.tries,
    tcpOnly: request.tcpOnly,
    ...(!request.hasEdns && { ednsBytes: 0 }),
  })
  const startUs = scheduler.now()
  host.ref()
  const { address, port } = resolver.machine.config.servers[0]
  const asked = formatEndpoint(address, port)
  let missed = 0
  const waiting = setInterval(() => {
    missed++
    if (missed < request.tries)
      printError(`;; no reply from ${asked} in ${request.timeoutMs / 1000} s, try ${missed + 1} of ${request.tries}`)
  }, request.timeoutMs)
  const [reply, source] = await resolver
    .ask(request.question, { recursionDesired: request.recursionDesired })
    .finally(() => clearInterval(waiting))
  if (reply === null || source === null) {
    const isRefused = resolver.machine.exchanger.counters.timeouts === 0
    printError(
      isRefused
        ? `;; ${asked} took no question: no DNS server listens there, or no way leads there`
        : `;; no reply from ${asked}; ${request.tries} tries of ${request.timeoutMs / 1000} s`,
    )
    return NO_REPLY
  }
  const result = { reply, source, elapsedUs: scheduler.now() - startUs, when: new Date() }
  if (settings.json) print(JSON.stringify(digObject(result)))
  else for (const line of request.isShort ? shortLines(reply) : digLines(result, words.join(' '))) print(line)
  return EXIT.ok
}
