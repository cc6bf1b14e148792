// The notation of the TCP scripts: one line is one segment, as tcpdump prints it, with relative numbers.
//
//   P. 1:1461 ack 1 win 65535 <mss 1460,sackOK,TS val 7 ecr 0,wscale 7,sack 1461:2921 4381:5841>
//
// `acc0 9 4 1` is an AccECN option of order 0 with its fields, `acc1` one of order 1.
// Before it may stand the ECN field of the IP header: `[ect0] `, `[ect1] `, `[ce] `, or `[-] ` for none; a line of ours without it leaves it
// open. Numbers of the sender count from its initial sequence number (SYN is 0, the first octet of text is 1); `win` is the 16-bit field as it
// stands in the header. Owns: text to line and back, the comparison. Does not own: bytes, time, the stack (script.ts).

import { FLAG } from '../../src/tcp/header.ts'

/** One segment of a script; null: not written. */
export interface Line {
  /** ECN field of the IP header (RFC 3168 §5). */
  ecn: number | null
  flags: number
  seq: number | null
  end: number | null
  ack: number | null
  win: number | null
  urg: number | null
  options: string[] | null
}

const LETTERS: Readonly<Record<string, number>> = {
  F: FLAG.FIN,
  S: FLAG.SYN,
  R: FLAG.RST,
  P: FLAG.PSH,
  U: FLAG.URG,
  E: FLAG.ECE,
  W: FLAG.CWR,
  e: FLAG.AE,
  '.': FLAG.ACK,
}

/** ECN fields by their numbers. */
const FIELDS = ['-', 'ect1', 'ect0', 'ce']

const LINE =
  /^(?:\[([-a-z0-9]+)\] )?([FSRPUEWe.]+|none)(?: (-?\d+)(?::(-?\d+))?)?(?: ack (-?\d+))?(?: win (\d+))?(?: urg (\d+))?(?: <([^>]*)>)?$/

/** Reads a line of a script. @throws when it is not one */
export function parseLine(text: string): Line {
  const match = LINE.exec(text.trim())
  if (match === null) throw new Error(`not a line of a script: '${text}'`)
  const number = (group: string | undefined): number | null => (group === undefined ? null : Number(group))
  let flags = 0
  if (match[2] !== 'none') for (const letter of match[2]) flags |= LETTERS[letter]
  const ecn = match[1] === undefined ? null : FIELDS.indexOf(match[1])
  if (ecn === -1) throw new Error(`not an ECN field: '${match[1]}'`)
  const seq = number(match[3])
  const options = match[8] === undefined ? null : match[8].split(',').filter((option) => option !== '')
  return {
    ecn,
    flags,
    seq,
    end: number(match[4]) ?? seq,
    ack: number(match[5]),
    win: number(match[6]),
    urg: number(match[7]),
    options,
  }
}

/** Flags as the scripts write them. */
export function flagText(flags: number): string {
  let text = ''
  for (const [letter, bit] of Object.entries(LETTERS)) if (flags & bit) text += letter
  return text === '' ? 'none' : text
}

/** Writes a line; what is null is left out. */
export function formatLine(line: Line): string {
  let text = (line.ecn === null || line.ecn === 0 ? '' : `[${FIELDS[line.ecn]}] `) + flagText(line.flags)
  if (line.seq !== null) text += line.end === line.seq ? ` ${line.seq}` : ` ${line.seq}:${line.end}`
  if (line.ack !== null) text += ` ack ${line.ack}`
  if (line.win !== null) text += ` win ${line.win}`
  if (line.urg !== null) text += ` urg ${line.urg}`
  if (line.options !== null) text += ` <${line.options.join(',')}>`
  return text
}

/** Whether a segment is what the script says: flags, numbers and acknowledgement always, the rest when it is written. */
export function matches(expected: Line, actual: Line): boolean {
  if (expected.flags !== actual.flags || expected.ack !== actual.ack) return false
  if (expected.seq !== actual.seq || expected.end !== actual.end) return false
  if (expected.ecn !== null && expected.ecn !== actual.ecn) return false
  if (expected.win !== null && expected.win !== actual.win) return false
  if (expected.urg !== null && expected.urg !== actual.urg) return false
  return expected.options === null || sameOptions(expected.options, actual.options ?? [])
}

/** All options in their order; `TS`, `TS val 5` and `TS ecr 5` leave the values open that they do not name. */
function sameOptions(expected: readonly string[], actual: readonly string[]): boolean {
  if (expected.length !== actual.length) return false
  return expected.every((option, i) => {
    if (!option.startsWith('TS')) return option === actual[i]
    const words = / (val -?\d+)? ?(ecr -?\d+)?$/.exec(`${option}`)
    return actual[i].startsWith('TS') && (words === null || words.slice(1).every((w) => !w || actual[i].includes(w)))
  })
}

/** The number after a word of an option, as in `mss 1460` or `TS val 7 ecr 9`. */
export function optionNumber(option: string, word: string): number | null {
  const match = new RegExp(`${word} (-?\\d+)`).exec(option)
  return match === null ? null : Number(match[1])
}
