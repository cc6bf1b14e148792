// What a call has returned against what the script expects of it.
// Owns: results, errno, and the arguments that a call fills in. Does not own: time (runner.ts), file descriptors (descriptors.ts).

import type { CallAction } from './ast.ts'
import { errnoName } from './constants.ts'
import type { Outcome, Value } from './target.ts'

/** The arguments that a call fills in; all others are only read. */
export const FILLED_ARGUMENTS: Readonly<Record<string, readonly number[]>> = {
  getsockopt: [3, 4],
  poll: [0],
  ppoll: [0],
  epoll_wait: [1],
  recvmsg: [1],
  ioctl: [2],
  accept: [1, 2],
  accept4: [1, 2],
  getsockname: [1, 2],
  getpeername: [1, 2],
  recvfrom: [1, 4, 5],
  recv: [1],
  read: [1],
  readv: [1],
  pipe: [0],
  pipe2: [0],
  recvmmsg: [1],
  sendmmsg: [1],
}

/** Calls that return a file descriptor. */
const RETURNS_DESCRIPTOR: ReadonlySet<string> = new Set([
  'socket',
  'accept',
  'accept4',
  'epoll_create',
  'epoll_create1',
  'open',
  'dup',
  'dup2',
  'eventfd',
])

/** Whether a call returns a descriptor: fcntl does with F_DUPFD. */
export function returnsDescriptor({ name, args }: Pick<CallAction, 'name' | 'args'>): boolean {
  return RETURNS_DESCRIPTOR.has(name) || (name === 'fcntl' && (args[1] === 0 || args[1] === F_DUPFD_CLOEXEC))
}

const F_DUPFD_CLOEXEC = 1030

/** Everything in which an outcome is not what was expected; in words. */
export function compareOutcome(action: CallAction, outcome: Outcome, toleranceUs = 0): string[] {
  const { expected } = action
  const errno = outcome.errno === '' ? '' : errnoName(outcome.errno)
  const failed = errno !== '' || outcome.value < 0
  if (expected.least === null || expected.most === null)
    return failed ? [] : compareFilled(action, outcome, toleranceUs)
  const isDescriptor = returnsDescriptor(action) && expected.least >= 0
  const isWithin = outcome.value >= expected.least && outcome.value <= expected.most
  if (failed ? !isWithin : !isWithin && !isDescriptor) {
    return [`returned ${resultText(outcome.value, errno)}, expected ${expectedText(action)}`]
  }
  if (expected.errno !== '' && expected.errno !== errno) {
    return [`returned ${resultText(outcome.value, errno)}, expected ${expectedText(action)}`]
  }
  // What a failing call has filled in means nothing, but recvmsg's error queue never fails.
  return failed ? [] : [...compareFilled(action, outcome, toleranceUs), ...compareSets(action, outcome)]
}

const SETS = ['in', 'out', 'except']

/** What select has found, where the script says it behind the result: `= 2 (in [3], out [4])`. */
function compareSets({ name, expected }: CallAction, { outputs }: Outcome): string[] {
  if (name !== 'select' && name !== 'pselect') return []
  return SETS.flatMap((word, i) => {
    const found = new RegExp(`\\b${word}\\s*\\[([\\d\\s,]*)\\]`).exec(expected.note)
    if (found === null) return []
    const wanted = found[1].split(/[\s,]+/).filter((one) => one !== '')
    const set = outputs[i + 1]
    const ready = Array.isArray(set) ? set.map(String) : []
    return wanted.join() === ready.join() ? [] : [`${word} [${ready.join(' ')}], expected [${wanted.join(' ')}]`]
  })
}

/** `-1 EAGAIN`. */
export function resultText(value: number, errno: string): string {
  return errno === '' ? String(value) : `${value} ${errno}`
}

/** What a script expects of a call's result, in its own notation. */
export function expectedText({ expected }: CallAction): string {
  const { least, most, errno } = expected
  if (least === null || most === null) return '?'
  return least === most ? resultText(least, errno) : `[${least}, ${most}]`
}

function compareFilled(action: CallAction, outcome: Outcome, toleranceUs: number): string[] {
  const differences: string[] = []
  for (const index of FILLED_ARGUMENTS[action.name] ?? []) {
    const wanted = action.args[index]
    const found = outcome.outputs[index]
    if (wanted === undefined || wanted === null || found === undefined || found === null) continue
    compareValue(wanted, found, `argument ${index + 1}`, differences, toleranceUs)
  }
  return differences
}

/** Compares what the script has written, and nothing else. */
function compareValue(wanted: Value, found: Value, where: string, differences: string[], toleranceUs: number): void {
  if (wanted === null || found === null) return
  const times = [stampUs(wanted), stampUs(found)]
  if (times[0] !== null && times[1] !== null) {
    if (Math.abs(times[0] - times[1]) <= toleranceUs) return
    differences.push(`${where} tells of ${times[1] / 1e6} s, expected ${times[0] / 1e6} s`)
    return
  }
  if (Array.isArray(wanted)) {
    const items: readonly Value[] = Array.isArray(found) ? found : [found]
    if (items.length < wanted.length) {
      differences.push(`${where} is ${formatValue(found)}, expected ${formatValue(wanted)}`)
      return
    }
    for (const [i, item] of wanted.entries()) {
      compareValue(item, items[i], wanted.length > 1 ? `${where}[${i}]` : where, differences, toleranceUs)
    }
    return
  }
  if (typeof wanted === 'object') {
    if (Array.isArray(found)) {
      compareValue(wanted, found[0] ?? '', where, differences, toleranceUs)
      return
    }
    if (typeof found !== 'object') {
      differences.push(`${where} is ${formatValue(found)}, expected ${formatValue(wanted)}`)
      return
    }
    const fields = found as Readonly<Record<string, Value>>
    for (const [field, value] of Object.entries(wanted)) {
      const own = fields[field] === undefined ? 'nothing' : fields[field]
      compareValue(value, own, `${field} of ${where}`, differences, toleranceUs)
    }
    return
  }
  const actual: Value = Array.isArray(found) && found.length === 1 ? found[0] : found
  if (!isSame(actual, wanted)) differences.push(`${where} is ${formatValue(actual)}, expected ${formatValue(wanted)}`)
}

/** Numbers of 32 bits are the same with and without their sign. */
function isSame(a: Value, b: Value): boolean {
  if (typeof a !== 'number' || typeof b !== 'number') return a === b
  return a === b || (a < 0 && a + 2 ** 32 === b) || (b < 0 && b + 2 ** 32 === a)
}

/** A time stamp of SCM_TIMESTAMPING, on the script's clock in microseconds; null for anything else. */
function stampUs(value: Value): number | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
  const { scm_sec: sec, scm_nsec: nsec } = value as Readonly<Record<string, Value>>
  return typeof sec === 'number' && typeof nsec === 'number' ? sec * 1e6 + nsec / 1000 : null
}

/** A value in the script's notation. */
export function formatValue(value: Value): string {
  if (value === null) return '...'
  if (typeof value === 'number') return String(value)
  if (typeof value === 'string') return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(formatValue).join(', ')}]`
  return `{${Object.entries(value)
    .map(([field, one]) => `${field}=${formatValue(one)}`)
    .join(', ')}}`
}
