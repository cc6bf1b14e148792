// The switch: learning, flooding, ageing, VLANs, bounds; and hosts behind bad ports.

import { describe, expect, test } from 'vitest'
import { PcapngWriter } from '../../src/trace/pcapng.ts'
import { arpFrame, frame, Lan, mac } from './helpers.ts'

const A = '02:00:00:00:00:0a'
const B = '02:00:00:00:00:0b'
const EVERYBODY = 'ff:ff:ff:ff:ff:ff'
const data = (src: string, dst: string, vlan = -1) =>
  frame(mac(src), Number.parseInt(dst.replaceAll(':', ''), 16), 0x88b5, new Uint8Array(46), vlan)

describe('a switch', () => {
  test('sends what it does not know everywhere but back, and learns who is where (IEEE 802.1Q §8.6, §8.7)', () => {
    const lan = new Lan()
    const [a, b, c] = [lan.tap(), lan.tap(), lan.tap()]
    const count = () => [a, b, c].map(({ heard }) => heard.splice(0).length)
    a.send(data(A, B))
    expect(count()).toEqual([0, 1, 1])
    b.send(data(B, A))
    expect(count()).toEqual([1, 0, 0])
    a.send(data(A, B))
    expect(count()).toEqual([0, 1, 0])
    c.send(data(B, EVERYBODY)) // has moved
    expect(count()).toEqual([1, 1, 0])
    a.send(data(A, B))
    expect(count()).toEqual([0, 0, 1])
    expect(lan.switch.counters).toMatchObject({ received: 5, forwarded: 3, flooded: 2, filtered: 0 })
  })

  test('forgets a station after 300 seconds (IEEE 802.1Q §8.8.3)', () => {
    const lan = new Lan()
    const [a, b, c] = [lan.tap(), lan.tap(), lan.tap()]
    b.send(data(B, EVERYBODY))
    lan.run(299)
    a.send(data(A, B))
    expect(c.heard.splice(0)).toHaveLength(1)
    lan.run(2)
    a.send(data(A, B))
    expect(c.heard).toHaveLength(1)
  })

  test('keeps no more stations than it may, and goes on to forward (CAM flood)', () => {
    const lan = new Lan(1, { maxStations: 100 })
    const [a, b] = [lan.tap(), lan.tap()]
    for (let i = 0; i < 500; i++)
      a.send(
        data(`02:00:00:01:${(i >> 8).toString(16).padStart(2, '0')}:${(i & 255).toString(16).padStart(2, '0')}`, B),
      )
    expect(lan.switch.stations).toBe(100)
    expect(lan.switch.counters.notLearnt).toBe(400)
    expect(b.heard).toHaveLength(500)
    lan.run(301)
    b.send(data(B, EVERYBODY))
    expect(lan.switch.stations).toBe(1)
  })

  test('forwards neither malformed frames nor those for switches (IEEE 802.1Q §8.6.3)', () => {
    const lan = new Lan()
    const [a, b] = [lan.tap(), lan.tap()]
    const short = data(A, B)
    short.end = short.start + 13
    a.send(short, data(A, '01:80:c2:00:00:00'))
    const group = data(A, B)
    group.bytes[group.start + 6] |= 1
    a.send(group)
    expect(b.heard).toEqual([])
    expect(lan.switch.counters.refused).toBe(3)
  })

  test('keeps VLANs apart, and puts their tags on trunks (IEEE 802.1Q §8.6.2)', () => {
    const lan = new Lan()
    const [a10, b10, a20] = [lan.tap(10), lan.tap(10), lan.tap(20)]
    const heard: string[] = []
    const trunk = lan.switch.port({ vlan: 1, tagged: [10, 20] })
    trunk.onReadable(() =>
      trunk.receive((packet) => heard.push(packet.bytes.subarray(packet.start + 12, packet.start + 16).join()), 10),
    )
    a10.send(data(A, EVERYBODY))
    expect([b10.heard.length, a20.heard.length]).toEqual([1, 0])
    expect(heard).toEqual(['129,0,0,10'])
    trunk.send(data(B, EVERYBODY, 20))
    lan.run(0)
    expect(a20.heard.splice(0)).toHaveLength(1)
    expect(a20.heard).toEqual([])
    trunk.send(data(B, EVERYBODY, 30))
    a10.send(data(A, EVERYBODY, 20)) // an access port takes no tag
    expect([b10.heard.length, a20.heard.length]).toEqual([1, 0])
    expect(lan.switch.counters.refused).toBe(2)
  })

  test('refuses a port that is none', () => {
    const lan = new Lan()
    expect(() => lan.switch.port({ vlan: 0 })).toThrow(RangeError)
    expect(() => lan.switch.port({ tagged: [4095] })).toThrow(RangeError)
  })

  test('writes what passes a port as Ethernet for Wireshark', () => {
    const lan = new Lan()
    const chunks: Uint8Array[] = []
    const writer = new PcapngWriter((bytes) => chunks.push(bytes), { family: 'ethernet' })
    const port = lan.switch.port({ onFrame: (packet, direction, at) => writer.packet(packet, direction, at) })
    port.send(arpFrame('request', [A, '10.0.0.1'], ['00:00:00:00:00:00', '10.0.0.2']))
    lan.run(0)
    expect(writer.packets).toBe(1)
    expect(chunks[0].at(-24 - 8)).toBeDefined()
  })
})

test('hosts behind ports that lose a tenth of all frames still reach one another', async () => {
  const lan = new Lan(3)
  const bad = { lossRate: 0.1, delayUs: 1000 }
  const wire = { out: bad, in: bad } // each packet passes two ports, each with its own luck
  const a = lan.station(['10.0.0.1/24', 'fd00::1/64'], {}, wire)
  const b = lan.station(['10.0.0.2/24', 'fd00::2/64'], {}, wire)
  const server = await lan.time.runFor(b.host.listen({ port: 80 }))
  server.on('connection', (socket) => socket.pipe(socket))
  for (const host of ['10.0.0.2', 'fd00::2']) {
    const socket = await lan.time.runFor(a.host.connect({ host, port: 80 }))
    const back: Buffer[] = []
    socket.on('data', (chunk: Buffer) => back.push(chunk))
    const ended = new Promise((resolve) => socket.on('end', resolve))
    socket.end(Buffer.alloc(100_000, 7))
    await lan.time.runFor(ended)
    expect(Buffer.concat(back).length).toBe(100_000)
  }
})
