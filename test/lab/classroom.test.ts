// The class in virtual time: its claims, that it repeats, and that claims fail when something goes wrong.

import { beforeAll, expect, test } from 'vitest'
import { parseFault } from '../../src/lab/faults.ts'
import { experimentNamed } from '../../src/lab/registry.ts'
import { type RunOptions, runExperiment } from '../../src/lab/run.ts'
import { reportLines } from '../../src/lab/text-report.ts'
import type { Outcome } from '../../src/lab/types.ts'

const attend = (options: RunOptions = {}) => runExperiment(experimentNamed('E32'), { capture: false, ...options })
const failed = ({ claims }: Outcome) => claims.filter(({ holds }) => !holds).map(({ text }) => text)

let once: Outcome
beforeAll(async () => {
  once = await attend({ capture: true })
})

test('the class holds, and repeats but for what TLS says', async () => {
  expect(failed(once)).toEqual([])
  const again = await attend({ capture: true })
  expect(reportLines(again)).toEqual(reportLines(once))
  const plain = ({ captures, ...rest }: (typeof once.worlds)[0]) => ({
    ...rest,
    captures: captures.map(({ host, bytes }) => [host, bytes.length]),
  })
  expect(again.worlds.map(plain)).toEqual(once.worlds.map(plain))
  const { captures } = once.worlds[0]
  expect(captures.map(({ host }) => host).sort()).toEqual(['client', 'dhcp', 'dns', 'router', 'web'])
  // Link type 1 of the interface description, which follows the section header: Ethernet.
  const bytes = captures[0].bytes
  expect(bytes[new DataView(bytes.buffer).getUint32(4, true) + 8]).toBe(1)
})

test('it holds with other dice and longer cables', async () => {
  expect(failed(await attend({ seed: 2, given: { delay: '3ms' } }))).toEqual([])
})

test('its tables show the frames of seven protocols in their order', () => {
  const { tables } = once
  const said = (title: string) =>
    tables.find((table) => table.title === title)?.rows.map((row) => `${row[1]} > ${row[2]} ${row[3]} ${row[4]}`)
  expect(said('ping the web server')).toEqual([
    'client > everybody ARP Request who-has 192.168.32.80 tell 192.168.32.100',
    'web > client ARP Reply 192.168.32.80 is-at 02:00:00:00:00:04',
    expect.stringMatching(/^client > web ICMP echo-request/),
    expect.stringMatching(/^web > client ICMP echo-reply/),
  ])
  const protocols = new Set(tables.flatMap(({ rows }) => rows.map((row) => row[3])))
  for (const name of ['ARP', 'DHCP', 'DNS', 'ICMP', 'ICMPv6', 'TCP', 'HTTP', 'TLS']) expect(protocols).toContain(name)
})

test('a lost SYN-ACK costs more than the round trips that were claimed, and the page comes all the same', async () => {
  const wrong = failed(await attend({ faults: [parseFault('drop SYN-ACK once from web')] }))
  expect(wrong).toContain('Every step takes as many round trips as it has questions that wait for one another.')
  expect(wrong.some((text) => text.startsWith('The page comes'))).toBe(false)
})

test('without an address the class ends all the same', async () => {
  await expect(attend({ faults: [parseFault('drop all packets from dhcp')] })).rejects.toThrow('ten minutes')
})

test('another network than its own is refused', async () => {
  const links = [{ from: 'client', to: 'web' }]
  await expect(attend({ topology: { hosts: { client: {}, web: {} }, links } })).rejects.toThrow("from 'switch' to each")
})
