import { describe, expect, test } from 'vitest'
import { changedLines } from '../../src/cli/replay-steps.ts'
import { firstDifference, futureLines } from '../../src/lab/futures.ts'
import { logRun, numberedPackets, parseFork, parseHeader, type RunHeader, statesAt } from '../../src/lab/run-log.ts'

const HEADER: RunHeader = {
  kind: 'run',
  version: '0',
  experiment: 'transfer',
  seed: 3,
  parameters: { bytes: '20kb', loss: '0%' },
  faults: [],
  topology: null,
  fork: null,
}

describe('a logged run', () => {
  test('repeats to the byte, from its own first line', async () => {
    const { lines } = await logRun(HEADER)
    expect((await logRun(parseHeader(lines[0]))).lines).toEqual(lines)
    expect(lines.some((line) => line.includes('"kind":"event"'))).toBe(true)
    expect(() => parseHeader('{"kind":"world"}')).toThrow('no log of a run')
    expect(() => parseHeader('nothing')).toThrow('no log of a run')
  })

  test('gives the whole state of both ends at a packet', async () => {
    const states = await statesAt(HEADER, 1, 1, 4)
    expect([...states.keys()]).toEqual([1, 2, 3, 4])
    expect(states.get(1)).toContainEqual(expect.stringMatching(/^client:\d+ > 5001 snd\.nxt 1$/))
    expect(states.get(2)).toContainEqual(expect.stringMatching(/^server:5001 > \d+ state SYN-RECEIVED$/))
    expect(states.get(4)).toContainEqual(expect.stringMatching(/^client:\d+ > 5001 snd\.flight 1:1449 sent$/))
    const changes = changedLines(states.get(3) ?? [], states.get(4) ?? [])
    expect(changes.some((line) => / snd\.nxt 1449$/.test(line))).toBe(true)
    expect(changes.some((line) => / localPort /.test(line))).toBe(false)
  })

  test('is forked at a packet by its number in the log, and tells where the futures part', async () => {
    const before = await logRun(HEADER)
    const packets = numberedPackets(before.outcome, 1)
    const fault = parseFork('lose packet 5', packets)
    expect(fault).toBe('drop packet 4 from client')
    expect(parseFork('drop SYN-ACK once', packets)).toBe('drop SYN-ACK once')
    expect(() => parseFork('lose packet 5000', packets)).toThrow('numbered from 1 to')
    expect(() => parseFork('eat packet 5', packets)).toThrow('write ACTION')
    const after = await logRun({ ...HEADER, fork: { world: 1, faults: [fault] } })
    expect(firstDifference(before.outcome.worlds[0], after.outcome.worlds[0])).toBe(5)
    expect(firstDifference(before.outcome.worlds[0], before.outcome.worlds[0])).toBe(0)
    const lines = futureLines(before.outcome, after.outcome, 1)
    expect(lines[0]).toBe('The futures part at packet 5:')
    expect(lines).toContainEqual(expect.stringMatching(/^client: sent again +0 +1 +\+1$/))
    expect(futureLines(before.outcome, before.outcome, 1)).toEqual(['Both futures are the same.'])
    expect(() => numberedPackets(before.outcome, 2)).toThrow('there is no world 2; there are: 1 (transfer)')
  })
})
