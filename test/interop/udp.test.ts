// UDP against Linux on a TUN, both roles, with and without fragments; the kernel's side is node:dgram in this process.

import dgram from 'node:dgram'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bytes, folder } from './helpers.ts'
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
