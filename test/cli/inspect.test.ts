// The live page's machinery in virtual time: what is gathered while somebody looks, nothing while nobody does, bounds of the knobs.

import { describe, expect, test } from 'vitest'
import { controlCalls, type SocketRecord } from '../../src/cli/control-answers.ts'
import { InspectFeed } from '../../src/cli/inspect-feed.ts'
import { Knobs, readKnobs } from '../../src/cli/inspect-knobs.ts'
import { inspectPage } from '../../src/cli/inspect-page.ts'
import { capture } from '../../src/link/capture.ts'
import { impair } from '../../src/link/impair.ts'
import { createHost } from '../../src/net/index.ts'
import { Network } from '../../src/sim/index.ts'

async function watched(act: (feed: InspectFeed, knobs: Knobs) => void) {
  const network = new Network({ seed: 1 })
  const { time } = network
  const [left, right] = network.cable({ delayUs: 1000 })
  let feed: InspectFeed | null = null
  const link = impair(right, { scheduler: time, random: network.random() })
  const device = capture(link, {
    scheduler: time,
    onPacket: (packet, direction, at) => feed?.packet(packet, direction, at),
    isWanted: () => feed?.isOn === true,
  })
  const server = createHost({ device, address: '10.77.0.2/24', scheduler: time, random: network.random() })
  const client = createHost({ device: left, address: '10.77.0.1/24', scheduler: time, random: network.random() })
  feed = new InspectFeed(server, controlCalls(server, device, 'serve').sockets as () => SocketRecord[])
  const listener = await time.runFor(server.listen({ port: 80 }))
  listener.on('connection', (socket) => socket.resume())
  const knobs = new Knobs({ host: server, link, impairment: {} }, {})
  act(feed, knobs)
  const socket = await time.runFor(client.connect({ host: '10.77.0.2', port: 80 }))
  socket.write('hello')
  await time.runFor(new Promise<void>((resolve) => time.schedule(time.now() + 50_000, resolve)))
  const telling = feed.take(time.now())
  const connections = [...server.stack.tcp.connections()]
  feed.stop()
  const listeners = [...server.stack.tcp.ports.listeners()]
  return { telling, connections, link, listeners }
}

describe('what the live page is told', () => {
  test('every packet with its numbers from 0 on, states and windows, and every socket', async () => {
    const { telling } = await watched((feed) => feed.start())
    const { names, packets, events, sockets } = telling
    expect(names[0]).toEqual([packets[0][0], expect.stringMatching(/^10\.77\.0\.2:80 ◀▶ 10\.77\.0\.1:\d+$/)])
    expect(packets.slice(0, 4).map(([, , out, seq, ack, , length, flags]) => [out, flags, seq, ack, length])).toEqual([
      [0, 'S', 0, -1, 0],
      [1, 'S.', 0, 1, 0],
      [0, '.', 1, 1, 0],
      [0, 'P.', 1, 1, 5],
    ])
    expect(events.filter(([, , kind]) => kind === 'state').map(([, , , from, to]) => `${from} ${to}`)).toEqual([
      'CLOSED SYN-RECEIVED',
      'SYN-RECEIVED ESTABLISHED',
    ])
    expect(sockets.map(({ state }) => state)).toEqual(['LISTEN', 'ESTAB'])
    expect(sockets[1].ss).toMatch(/cubic .*cwnd:10/)
    expect(packets[0][0]).toBe(sockets[1].id)
  })

  test('nothing is gathered while nobody looks, and no connection is watched', async () => {
    const { telling, connections } = await watched(() => undefined)
    expect([telling.packets, telling.events]).toEqual([[], []])
    expect(connections.map(({ watch }) => watch)).toEqual([null])
  })
})

describe('the knobs of the live page', () => {
  test('hold for connections to come, and for the link', async () => {
    const { connections, link, listeners } = await watched((_feed, knobs) => {
      knobs.turn({ delay: 2, congestion: 'reno', nagle: true, delayedAck: 0 })
      expect(knobs.values).toMatchObject({ loss: 0, delay: 2, congestion: 'reno', nagle: true, delayedAck: 0 })
    })
    expect(connections[0].tcb.config).toMatchObject({ congestion: 'reno', nagle: true, delayedAckUs: 0 })
    expect(connections[0].tcb.control.name).toBe('reno')
    expect(listeners.map(({ config }) => config.nagle)).toEqual([true])
    expect(link.impairmentCounters('in').offered).toBeGreaterThan(2)
  })

  test.each([
    [{ loss: 51 }, /loss is a number from 0 to 50/],
    [{ delay: -1 }, /delay is a number/],
    [{ rate: 0.01 }, /rate is a number/],
    [{ congestion: 'magic' }, /congestion is one of .*cubic/],
    [{ nagle: 1 }, /true or false/],
    [{ delayedAck: 500 }, /from 0 to 499/],
    [{ __proto__: null, speed: 1 }, /no knob 'speed'/],
    [[], /an object/],
  ])('%j is refused', (changes, message) => {
    expect(() => readKnobs(changes)).toThrow(message)
  })
})

test('the page is one file that names no other, and nothing of its making is left in it', () => {
  const page = inspectPage()
  expect(page).not.toMatch(/\/\* (STYLE|SCRIPT) \*\/|"DATA"/)
  expect(page.replace('http://www.w3.org/2000/svg', '')).not.toMatch(
    /https?:\/\/|<link rel="stylesheet"|<script src|@import|url\((?!#)/,
  )
})
