// docs/chapter is as the runs give it: the quick blocks of every page are made anew, but for their figures; of all pages, every command and every link exists.
// `npm run chapter -- --check` makes all of them; `npm run chapter` writes them.

import { describe, expect, test } from 'vitest'
import type { PacketRecord, WorldRecord } from '../../src/lab/record.ts'
import { EXPERIMENTS } from '../../src/lab/registry.ts'
import { blocksOf, show, withTexts } from './blocks.ts'
import { checkCommand, commandsIn, readLab } from './command.ts'
import { ladder } from './ladder.ts'
import { brokenLinks, pages, stale } from './pages.ts'

/** Experiments that take a few milliseconds. */
const QUICK = new Set(['four-values', 'nagle-delayed-ack', 'half-close'])
const all = pages()

describe.each(all)('the page $name', (page) => {
  test('shows only commands that exist, with parameters and faults that can be meant', () => {
    for (const command of commandsIn(page.text)) expect(() => checkCommand(command)).not.toThrow()
    for (const { command } of blocksOf(page.text)) expect(() => readLab(command)).not.toThrow()
  })

  test('links to files that are there, its figures among them', () => {
    expect(brokenLinks(page)).toEqual([])
  })

  test('has no block that was not filled', () => {
    const empty = blocksOf(page.text).filter(({ text }) => text.trim() === '')
    expect(empty).toEqual([])
    expect(page.text.match(/<!-- lab /g)?.length ?? 0).toBe(blocksOf(page.text).length)
  })
})

test('the quick blocks are as their runs give them', async () => {
  const blocks = all
    .flatMap(({ text }) => blocksOf(text))
    .filter(({ command, text }) => QUICK.has(command) && !text.includes('.svg'))
  expect(new Set(blocks.map(({ command }) => command))).toEqual(QUICK)
  expect((await Promise.all(blocks.map(stale))).filter((text) => text !== '')).toEqual([])
})

test('every experiment has its place, with a command to run it', () => {
  const commands = all.flatMap(({ text }) => commandsIn(text))
  const missing = EXPERIMENTS.filter(({ id }) => !commands.includes(`tunstack lab ${id}`) && id !== 'transfer')
  expect(missing.map(({ id }) => id)).toEqual([])
})

describe('a page', () => {
  test('gets the texts of its blocks replaced, and nothing else', () => {
    const page = 'a\n<!-- lab nagle | claims -->\nold\n<!-- end -->\nb\n'
    expect(blocksOf(page)).toEqual([{ command: 'nagle', wanted: 'claims', text: 'old\n' }])
    expect(withTexts(page, ['new\n'])).toBe(page.replace('old', 'new'))
  })

  test.each([
    ['tunstack lab nagel', "no experiment 'nagel'"],
    ['tunstack lab nagle --rttt=1s', 'no parameter --rttt'],
    ['tunstack lab nagle --rtt=soon', "--rtt: 'soon'"],
    ['tunstack lab nagle --fault "drop it"', "fault 'drop it'"],
    ['tunstack lab hop-by-hop --live', 'does not run live'],
    ['tunstack labs', 'no command of tunstack'],
    ['npm run chapters', 'no such script'],
  ])('with the command %s is refused', (command, message) => {
    expect(() => checkCommand(command)).toThrow(message)
  })

  test('that asks for a table, a world or a figure that there is not is refused', async () => {
    const wrong = (wanted: string): Promise<unknown> => show({ command: 'four-values', wanted })
    await expect(wrong('table Nothing')).rejects.toThrow("has no table 'Nothing'; there are: 'The connections")
    await expect(wrong('ladder nowhere')).rejects.toThrow("has no world 'nowhere'; there are: 'five at once'")
    await expect(wrong('pie')).rejects.toThrow("no figure 'pie'")
  })
})

test('a ladder tells what was lost from what was still on its way', () => {
  const packet = (more: Partial<PacketRecord>): PacketRecord => ({
    ...{ sentAt: 0, receivedAt: 5000, from: 'a', to: 'b', connection: 0, line: '', flags: 0x10, seq: 1, ack: 1 },
    ...{ textBytes: 0, packetBytes: 40, window: 0, isAgain: false, http: '', fate: '' },
    ...more,
  })
  const packets = [
    packet({ flags: 0x02, ack: -1 }),
    packet({ sentAt: 1000, receivedAt: -1, textBytes: 9, fate: 'queue full' }),
    packet({ sentAt: 2000, receivedAt: -1, from: 'b', to: 'a' }),
  ]
  const lines = ladder({ hosts: ['a', 'b'], packets } as unknown as WorldRecord, { from: 1, count: 9 })
  expect(lines).toEqual([
    '  sent ms  there ms  a                                                             b',
    '      0.0       5.0  │── SYN ─────────────────────────────────────────────────────▶│',
    '      1.0      lost  │── 1:10 ACK 1 (queue full) ───✗                              │',
    '      2.0         -  │◀─────────────────────────────────────────────────── ACK 1 ──│',
  ])
})
