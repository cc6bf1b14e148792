import { describe, expect, test } from 'vitest'
import { parseTopology } from '../../src/cli/lab-yaml.ts'
import { RunContext } from '../../src/lab/context.ts'
import { drawTopology } from '../../src/lab/draw.ts'
import { checkTopology, dumbbell, pairOf, type Topology } from '../../src/lab/topology.ts'

const YAML = `
hosts:
  client:
  server: { address: 10.0.0.80, tcp: { initialWindowSegments: 4 } }
routers: [edge]
links:
  - { from: client, to: edge, delay: 5ms }
  - { from: edge, to: server, delay: 40ms, rate: 10mbit, queue: codel 200p, loss: 1%, back: { loss: 0% } }
`

describe('a network', () => {
  test('read from YAML is the same as one in code', async () => {
    expect(await parseTopology(YAML, 'far.yaml')).toEqual({
      hosts: { client: {}, server: { address: '10.0.0.80', tcp: { initialWindowSegments: 4 } } },
      routers: ['edge'],
      links: [
        { from: 'client', to: 'edge', delay: '5ms' },
        {
          from: 'edge',
          to: 'server',
          delay: '40ms',
          rate: '10mbit',
          queue: 'codel 200p',
          loss: '1%',
          back: { loss: '0%' },
        },
      ],
    })
  })

  test.each([
    ['hosts: [', 'n.yaml:1:9: '],
    ['hosts:\n  a: { colour: red }\nlinks: []', "n.yaml:2:16: hosts.a.colour: 'colour' is no word that may stand here"],
    [
      'hosts:\n  a: { tcp: { nagel: true } }\nlinks: []',
      "n.yaml:2:13: unknown TCP setting 'nagel'; did you mean 'nagle'?",
    ],
    [
      'hosts:\n  a:\n  b:\nlinks:\n  - { from: a, to: b, delay: 5 min ago }',
      "n.yaml:5:5: '5 min ago': write a duration",
    ],
    ['hosts:\n  a:\n  b:\nlinks:\n  - { from: a, to: b }\n  - { from: a, to: c }', "n.yaml:6:5: a link names 'c'"],
    ['hosts:\n  a:\n', 'n.yaml:1:1: links: it is missing'],
    ['hosts:\n  a:\n  b:\nlinks: []', "no link leads to 'b'"],
  ])('that is wrong is refused with line and column: %j', async (text, message) => {
    await expect(parseTopology(text, 'n.yaml')).rejects.toThrow(message)
  })

  test('that does not hang together is refused', () => {
    const link = { from: 'a', to: 'b' }
    expect(() => checkTopology({ hosts: { a: {}, b: {} }, links: [{ ...link, queue: 'codel' }] })).toThrow(
      'a queue needs a rate',
    )
    expect(() =>
      checkTopology({ hosts: { a: {}, b: {} }, links: [{ ...link, rate: '1mbit', queue: 'fifo' }] }),
    ).toThrow("'fifo': write")
    expect(() => checkTopology({ hosts: { a: { address: '10.0.0' }, b: {} }, links: [link] })).toThrow(
      "'10.0.0' of a is no IP address",
    )
  })

  test('as text has a line a chain', () => {
    expect(drawTopology(pairOf({ delay: '20ms', rate: '10mbit', loss: 0.01 }))).toEqual([
      'client ── 10 Mbit/s, 20 ms, loss 1 % ── server',
    ])
    const three: Topology = {
      hosts: { a: {}, b: {}, c: {} },
      links: [
        { from: 'a', to: 'b', delay: '1ms' },
        { from: 'b', to: 'c' },
      ],
    }
    expect(drawTopology(three)).toEqual(['a ── 1 ms ── b ──── c'])
  })
})

describe('a network that was made', () => {
  const ping = async (topology: Topology, from: string, to: string): Promise<number> => {
    const world = new RunContext({ seed: 1, topology, faults: [], capture: false }).world({ label: 'ping' })
    return world.run(() => world.host(from).ping(world.addressOf(to)))
  }

  test('carries packets over routers, and over hosts in the middle', async () => {
    expect(await ping(dumbbell({ delay: '10ms' }, [{ delay: '1ms' }, { delay: '2ms' }]), 'client2', 'server1')).toBe(
      24_000,
    )
    const chain: Topology = {
      hosts: { a: {}, proxy: {}, b: {} },
      links: [
        { from: 'a', to: 'proxy', delay: '3ms' },
        { from: 'proxy', to: 'b', delay: '4ms' },
      ],
    }
    expect(await ping(chain, 'a', 'b')).toBe(14_000)
    expect(await ping(chain, 'proxy', 'b')).toBe(8_000)
  })

  test('takes as long as its line needs for each packet, and may differ on the way back', async () => {
    const link = { delay: '1ms', rate: 1_000_000, back: { delay: '5ms' } }
    const us = await ping(pairOf(link), 'client', 'server')
    expect((us - 6_000) / 2).toBe(672) // 84 bytes at 1 Mbit/s, each way
  })
})
