import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { MILLISECOND, SeededRandom } from '../../src/base/index.ts'
import { HttpClient, HttpServer } from '../../src/http/index.ts'
import { capture } from '../../src/link/index.ts'
import { createHost } from '../../src/net/index.ts'
import { Network } from '../../src/sim/index.ts'
import { checkInvariants } from '../../src/tcp/index.ts'

const BYTES = 300_000
const BAD_LINE = {
  delayUs: 20 * MILLISECOND,
  lossRate: 0.01,
  duplicateRate: 0.01,
  reorderRate: 0.02,
}

function content(seed: number): Uint8Array {
  const random = new SeededRandom(seed)
  return Uint8Array.from({ length: BYTES }, () => random.int32())
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** One download and one upload over a bad line in virtual time; what arrived, and a hash over every packet with its time. */
async function exchange(seed: number): Promise<{ down: string; up: string; packets: string; virtualUs: number }> {
  const network = new Network({ seed })
  const { time } = network
  const [left, right] = network.cable(BAD_LINE)
  const packets = createHash('sha256')
  const device = capture(right, {
    scheduler: time,
    onPacket: (packet, direction, at) =>
      packets.update(`${direction} ${at}`).update(packet.bytes.subarray(packet.start, packet.end)),
  })
  const server = createHost({
    device,
    address: ['10.0.0.2/24', 'fd00::2/64'],
    scheduler: time,
    random: network.random(),
  })
  const client = createHost({
    device: left,
    address: ['10.0.0.1/24', 'fd00::1/64'],
    scheduler: time,
    random: network.random(),
  })
  server.stack.tcp.onStep = checkInvariants
  client.stack.tcp.onStep = checkInvariants
  let up = ''
  const http = new HttpServer({
    scheduler: time,
    handler: async (request) => {
      if (request.method === 'GET') return { status: 200, body: content(seed) }
      up = sha256(await request.bytes())
      return { status: 204 }
    },
  })
  server.createServer({ allowHalfOpen: true }, (socket) => http.handleConnection(socket)).listen(80)
  const host = seed % 2 === 0 ? '10.0.0.2' : '[fd00::2]'
  const fetcher = new HttpClient({
    scheduler: time,
    connect: (origin) =>
      client.connect({ host: origin.host.replace(/^\[|\]$/g, ''), port: origin.port, allowHalfOpen: true }),
  })
  const down = await time.runFor(
    (async () => {
      const response = await fetcher.fetch(`http://${host}/`)
      const got = sha256(await response.bytes())
      await (await fetcher.fetch(`http://${host}/`, { method: 'POST', body: content(seed + 1000) })).bytes()
      fetcher.close()
      return got
    })(),
  )
  await time.runFor(Promise.all([server.close(), client.close()]))
  return { down, up, packets: packets.digest('hex'), virtualUs: time.now() }
}

describe('HTTP over our TCP on a line with 1 % loss, 1 % duplicates, 2 % reordering and 20 ms each way, in virtual time', () => {
  test.each(Array.from({ length: 20 }, (_, i) => i + 1))('moves every byte both ways with seed %i', async (seed) => {
    const { down, up } = await exchange(seed)
    expect(down).toBe(sha256(content(seed)))
    expect(up).toBe(sha256(content(seed + 1000)))
  })

  test('repeats to the byte and the microsecond with the same seed, and differs with another', async () => {
    const [first, second, other] = [await exchange(5), await exchange(5), await exchange(6)]
    expect(second).toEqual(first)
    expect(other.packets).not.toBe(first.packets)
  })
})
