// The Python of scripts: values, statements, and what a failed assertion says.

import { expect, test } from 'vitest'
import { assertionsNegated, Python, PythonError } from '../../src/packetdrill/python.ts'

const INFO = { tcpi_snd_cwnd: 10, tcpi_state: 1, tcpi_rtt: 100_000, tcpi_options: 7 }

function failure(code: string): PythonError | null {
  try {
    new Python().run(code, INFO)
    return null
  } catch (error) {
    if (error instanceof PythonError) return error
    throw error
  }
}

test.each([
  'tcpi_snd_cwnd == 10',
  '10 <= tcpi_snd_cwnd < 11',
  'tcpi_state == TCP_ESTABLISHED and not tcpi_rtt < 5',
  'tcpi_options & TCPI_OPT_SACK',
  '(tcpi_options & ~1) == 6',
  'tcpi_snd_cwnd in (1, 10)',
  'tcpi_snd_cwnd not in [1, 2]',
  '0x10 == 16 and 0o17 == 15 and 1e3 == 1000',
  'abs(-3) == 3 and min(1, 2) == 1 and max([4, 5]) == 5',
  '(1 if tcpi_rtt > 5 else 2) == 1',
  '7 // 2 == 3 and -7 // 2 == -4 and 7 % 4 == 3 and -1 % 4 == 3 and 2 ** 3 == 8',
  '1 << 40 == 1099511627776 and (1 << 40 | 1) & 1',
  'True and 1 == True and None is None and 1 is not 2',
  '"a" in "abc" and "%d-%s" % (1, "x") == "1-x"',
  '-2 < -1 or 1 / 0',
])('%s holds', (condition) => {
  expect(failure(`assert ${condition}`)).toBeNull()
  expect(failure(`assert not (${condition})`)).not.toBeNull()
})

test('a failed assertion says its message, and what its names are', () => {
  expect(failure('\n assert tcpi_snd_cwnd == 11, tcpi_rtt')).toMatchObject({
    message: 'assertion failed: 100000',
    line: 2,
    expected: 'assert tcpi_snd_cwnd == 11, tcpi_rtt',
    actual: 'tcpi_snd_cwnd = 10, tcpi_rtt = 100000',
  })
})

test('several statements, on one line and on several; names live on', () => {
  const python = new Python()
  expect(python.run('x = tcpi_snd_cwnd; x += 1 # more\nprint("x", x)\nimport sys', INFO)).toEqual(['x 11'])
  expect(python.run('assert x == 11', {})).toEqual([])
})

test('a statement goes on within brackets and after a backslash', () => {
  expect(failure('assert (1 ==\n 1), 3\nassert 1 == \\\n 1')).toBeNull()
  expect(failure('assert (1 ==\n 2)')?.line).toBe(1)
})

test('if, elif and else, on one line and with blocks', () => {
  const code = 'if tcpi_rtt < 5:\n  y = 1\nelif tcpi_rtt > 5:\n  y = 2\n  z = 3\nelse: y = 4\nassert y == 2 and z == 3'
  expect(failure(code)).toBeNull()
})

test.each([
  ['assert tcpi_nothing == 1', "in code: the name 'tcpi_nothing' is not defined"],
  ['assert 1 +', 'in code: something is missing at the end'],
  ['assert 1 ? 2', "in code: '? 2' is not understood"],
  ['assert foo(1)', "in code: the function 'foo' is not known"],
  ['x = 1 / 0', 'in code: division by zero'],
  ['assert 1 in 2', "in code: 'in' takes a list, not 2"],
])('%s is refused', (code, message) => {
  expect(failure(code)?.message).toBe(message)
})

test('each assertion can be negated, the rest of the code as it was', () => {
  expect(assertionsNegated(' assert 1, 2; x = 3\nif x: assert x == 3')).toEqual(
    ['assert not (1), 2; x = 3\nif x: assert x == 3', ' assert 1, 2; x = 3\nif x: assert not (x == 3)'].map((code) =>
      expect.stringContaining(code.trim()),
    ),
  )
})
