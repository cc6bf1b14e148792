// What the demonstration prints: the resources with curl's times, the ladder of the first connection, what the time went into, and what to
// try next.

import { styleText } from 'node:util'
import { sumCauses } from '../trace/causes.ts'
import { formatMs, ladder } from '../trace/ladder.ts'
import type { DemoResult } from './demo-types.ts'

const isPlain = !process.stdout.isTTY || process.env['NO_COLOR'] !== undefined
const bold = (text: string): string => (isPlain ? text : styleText('bold', text))
const dim = (text: string): string => (isPlain ? text : styleText('dim', text))
const green = (text: string): string => (isPlain ? text : styleText('green', text))
const red = (text: string): string => (isPlain ? text : styleText('red', text))

/** Prints the result. */
export function printReport(result: DemoResult): void {
  process.stdout.write(`${reportLines(result).join('\n')}\n`)
}

/** The report, line by line. */
export function reportLines(result: DemoResult): string[] {
  return [
    ...heading(result),
    ...table(result),
    ...ladderOf(result),
    ...causesOf(result),
    ...verdict(result),
    ...next(result),
  ]
}

function heading({ client, where, delayUs }: DemoResult): string[] {
  const delay =
    delayUs > 0 ? ` ${formatMs(delayUs)} of delay was added to each direction, so that there is something to see.` : ''
  return [
    '',
    bold(`${client[0].toUpperCase()}${client.slice(1)} fetched a page from tunstack, over ${where}.`),
    dim(`Ours is 10.77.0.2, the client is 10.77.0.1.${delay}`),
    '',
  ]
}

function table({ resources }: DemoResult): string[] {
  const ms = (seconds: number): string => `${(seconds * 1000).toFixed(1)}`.padStart(9)
  const lines = [bold('  resource            bytes   connect  first byte     total ms')]
  for (const r of resources) {
    const mark = r.isRight ? green('✓') : red('✗')
    const connect = r.newConnections > 0 ? ms(r.timeConnect) : 'reused'.padStart(9)
    const times = `${connect} ${ms(r.timeStartTransfer).padStart(11)} ${ms(r.timeTotal).padStart(12)}`
    lines.push(`${mark} ${r.path.padEnd(16)} ${String(r.bytes).padStart(8)} ${times}`)
  }
  return [...lines, '']
}

function ladderOf({ recorder }: DemoResult): string[] {
  const [trace] = recorder.traces
  if (trace === undefined) return [red('No segment was seen.'), '']
  const width = Math.max(110, Math.min(process.stdout.columns ?? 150, 170))
  const lines = ladder(trace, {
    width,
    most: 84,
    dim,
    theirs: `${trace.remote}.${trace.remotePort} (client)`,
    ours: 'tunstack',
  })
  return [
    bold('Every segment of the first connection (the client left, tunstack right; the state of each beside it)'),
    ...lines,
    '',
  ]
}

function causesOf({ recorder }: DemoResult): string[] {
  const [trace] = recorder.traces
  if (trace === undefined) return []
  const { records } = trace
  const total = records[records.length - 1].at - records[0].at
  const lines = [bold(`Where ${formatMs(total)} went`)]
  const causes = sumCauses(trace)
  const rest = total - causes.reduce((sum, { us }) => sum + us, 0)
  for (const cause of [...causes, { us: rest, text: 'pauses of less than a millisecond' }]) {
    const share = `${Math.round((cause.us / total) * 100)} %`.padStart(5)
    lines.push(`  ${formatMs(cause.us).padStart(9)} ${share}  ${cause.text}`)
  }
  return [...lines, '']
}

function verdict({ resources }: DemoResult): string[] {
  const wrong = resources.filter(({ isRight }) => !isRight)
  const bytes = resources.reduce((sum, r) => sum + r.bytes, 0)
  if (resources.length > 0 && wrong.length === 0) return [green(`All ${bytes} bytes arrived as they were sent.`), '']
  return [red(`Wrong or missing: ${wrong.map(({ path }) => path).join(', ') || 'everything'}`), '']
}

function next({ resources }: DemoResult): string[] {
  if (resources.length === 0) return []
  return [
    bold('Try next'),
    '  npm start -- --inspect              goes on, with a live page for your browser: connections, plots, knobs',
    '  npm start -- --loss 5%              a lossy line: watch the retransmissions',
    '  npm start -- --pcap demo.pcapng     the packets for Wireshark',
    '  sudo node bin/tunstack serve .      your files on your own TCP; then: curl http://10.77.0.2/',
    '  node bin/tunstack --help            fetch, ping, and all options',
  ]
}
