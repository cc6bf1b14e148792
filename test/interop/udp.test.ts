// UDP against Linux on a TUN, both roles, with and without fragments; the kernel's side is node:dgram in this process.

import dgram from 'node:dgram'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Background, bytes, folder, sha256 } from './helpers.ts'
import { MALFORMED, tshark } from './kernel.ts'
import { KERNELS, OURS, openSite, type Site } from './site.ts'

const OUT = folder()
const PCAP = OUT.file('udp.pcapng')
const SIZES = [0, 1, 1452, 1453, 1472, 1473, 9000, 40_000, 65_507]
let site: Site

beforeAll(() => {
  site = openSite({ pcap: PCAP })
})
afterAll(() => OUT.remove())

type Socket = Pick<dgram.Socket, 'bind' | 'connect' | 'send' | 'close' | 'address' | 'on' | 'once'>

const kernels = (family: 4 | 6): Socket => dgram.createSocket(`udp${family}`)
const ours = (family: 4 | 6): Socket => site.host.createSocket(`udp${family}`) as unknown as Socket

async function bound(socket: Socket, address: string): Promise<number> {
  socket.bind(0, address)
  await once(socket as dgram.Socket, 'listening')
  return socket.address().port
}

/** Everything that is sent comes back from the other side as it was. */
async function echo(server: Socket, client: Socket, address: string): Promise<void> {
  server.on('message', (data, { port, address: from }) => server.send(data, port, from))
  const port = await bound(server, address)
  for (const size of SIZES) {
    const data = bytes(size, size)
    const answer = once(client as dgram.Socket, 'message')
    client.send(data, port, address)
    const [got, from] = await answer
    expect(Buffer.compare(got, data)).toBe(0)
    expect([from.address, from.port, from.size]).toEqual([address, port, size])
  }
  server.close()
  client.close()
}

describe.each([4, 6] as const)('IPv%i', (family) => {
  test('our server answers the kernel’s client, in all sizes (RFC 768, RFC 1122 §4.1)', () =>
    echo(ours(family), kernels(family), OURS[family]))

  test('the kernel’s server answers our client, in all sizes (RFC 768, RFC 1122 §4.1)', () =>
    echo(kernels(family), ours(family), KERNELS[family]))

  test.each([10, 5000])(
    '%i bytes to a closed port: connected sockets are refused, both ways (RFC 1122 §4.1.3.1)',
    async (size) => {
      for (const [client, address] of [
        [ours(family), KERNELS[family]],
        [kernels(family), OURS[family]],
      ] as const) {
        client.connect(4, address)
        await once(client as dgram.Socket, 'connect')
        const failed = once(client as dgram.Socket, 'error')
        client.send(bytes(size))
        const [error] = await failed
        expect(error.message).toBe('recvmsg ECONNREFUSED')
        client.close()
      }
    },
  )
})

test('in a capture tshark finds nothing amiss, and all datagrams whole', async () => {
  await site.stop()
  const here = `(ip.src == ${OURS[4]} || ipv6.src == ${OURS[6]})`
  expect(
    await tshark(PCAP, `${here} && (${MALFORMED} || udp.checksum.status == 0 || icmp.checksum.status == 0)`),
  ).toEqual([])
  expect(
    await tshark(PCAP, `${here} && (_ws.expert.severity == error || ip.fragment.error || ipv6.fragment.error)`),
  ).toEqual([])
  const lengths = await tshark(PCAP, `${here} && udp && !icmp && !icmpv6`, ['udp.length'])
  expect(lengths.length).toBeGreaterThanOrEqual(4 * SIZES.length)
  for (const size of SIZES) expect(lengths.flat()).toContain(String(size + 8))
})

/** Python, for options of sockets that Node has none for; prints a line when it is ready, and one when it is done. */
const python = (script: string, ...args: string[]) => new Background('python3', ['-u', '-c', script, ...args])

/** Reads whatever comes until all has, and says how many bytes a read gave, and of what segments the kernel says it was (UDP_GRO, 104). */
const GRO_READER = `
import hashlib, socket, struct, sys
s = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(17, 104, 1)
s.settimeout(10)
s.bind((sys.argv[1], 0))
print(s.getsockname()[1])
left, reads, all = int(sys.argv[2]), [], hashlib.sha256()
while left > 0:
  data, extra, _, _ = s.recvmsg(65536, 64)
  reads.append((len(data), struct.unpack('=i', extra[0][2][:4])[0] if extra else 0))
  all.update(data)
  left -= len(data)
print(reads, all.hexdigest())
`

/** Sends one buffer in segments (UDP_SEGMENT, 103). */
const GSO_WRITER = `
import socket, sys
s = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(17, 103, int(sys.argv[3]))
s.sendto(bytes((i * 7) & 255 for i in range(int(sys.argv[4]))), (sys.argv[1], int(sys.argv[2])))
`

describe.each([4, 6] as const)('with segmentation offload, IPv%i', (family) => {
  let fast: Site
  beforeAll(() => {
    fast = openSite({ offload: true })
  })
  afterAll(() => fast.stop())

  test('the device takes many datagrams as one, and the kernel’s reader gets them as one (UDP_SEGMENT, UDP_GRO)', async () => {
    expect(fast.device.offload.superDatagramBytes).toBe(65_535)
    const reader = python(GRO_READER, KERNELS[family], '40500')
    await reader.until(() => reader.stdout.includes('\n'))
    const socket = fast.host.createSocket(`udp${family}`)
    await bound(socket as unknown as Socket, OURS[family])
    socket.setSegmentSize(1000)
    const data = bytes(40_500)
    const before = fast.device.counters.txPackets
    socket.send(data, Number.parseInt(reader.stdout, 10), KERNELS[family])
    await reader.exited
    expect(reader.stdout.split('\n')[1]).toBe(`[(40500, 1000)] ${sha256(data)}`)
    expect(fast.device.counters.txPackets - before).toBe(1)
    socket.close()
  })

  test('what the kernel sends as one reaches our socket as the datagrams that it stands for (UDP_SEGMENT)', async () => {
    const socket = fast.host.createSocket(`udp${family}`)
    const port = await bound(socket as unknown as Socket, OURS[family])
    const got: Buffer[] = []
    const all = new Promise<void>((resolve) =>
      socket.on('message', (data) => {
        if (got.push(data) === 41) resolve()
      }),
    )
    const before = fast.device.counters.rxPackets
    const writer = python(GSO_WRITER, OURS[family], String(port), '1000', '40500')
    await all
    await writer.exited
    expect(got.map(({ length }) => length)).toEqual([...Array.from({ length: 40 }, () => 1000), 500])
    expect(Buffer.concat(got)).toEqual(Buffer.from(Array.from({ length: 40_500 }, (_, i) => (i * 7) & 255)))
    expect(fast.device.counters.rxPackets - before).toBeLessThan(5)
    socket.close()
  })
})
