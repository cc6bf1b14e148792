import { describe, expect, test } from 'vitest'
import { RunContext } from '../../src/lab/context.ts'
import { formatFault, isStruck, parseFault } from '../../src/lab/faults.ts'
import { dataFrom } from '../../src/lab/measure.ts'
import type { WorldRecord } from '../../src/lab/record.ts'
import { pairOf } from '../../src/lab/topology.ts'

describe('a fault in words', () => {
  test.each([
    [
      'drop data segment 3 from server',
      { action: 'drop', target: 'data', from: 'server', first: 3, last: 3, every: 1, byUs: 0 },
    ],
    ['drop data segments 3-5 from server', { action: 'drop', target: 'data', from: 'server', first: 3, last: 5 }],
    [
      'drop every 10th data segment from server',
      { target: 'data', first: 10, every: 10, last: Number.POSITIVE_INFINITY },
    ],
    ['drop all ACKs from client', { target: 'ack', from: 'client', first: 1, last: Number.POSITIVE_INFINITY }],
    ['corrupt SYN-ACK once', { action: 'corrupt', target: 'syn-ack', first: 1, last: 1 }],
    ['drop SYN twice', { target: 'syn', first: 1, last: 2 }],
    ['duplicate FIN from client', { action: 'duplicate', target: 'fin', from: 'client', byUs: 0 }],
    ['duplicate data segment 2 from client after 90s', { action: 'duplicate', first: 2, byUs: 90_000_000 }],
    ['Delay the ACK that opens the window by 500 ms', { action: 'delay', target: 'window-update', byUs: 500_000 }],
  ])('%s', (text, expected) => {
    const fault = parseFault(text)
    expect(fault).toMatchObject(expected)
    expect(parseFault(formatFault(fault))).toEqual(fault)
  })

  test.each([
    '',
    'lose data segment 3',
    'drop',
    'drop data segment 3 of server',
    'drop data segment 5-3',
    'drop SYN by 3ms',
    'delay SYN',
  ])('%j is refused with the words there are', (text) => expect(() => parseFault(text)).toThrow(/^fault '/))

  test('strikes by number', () => {
    const struck = (text: string): number[] => {
      const fault = parseFault(text)
      return Array.from({ length: 9 }, (_, i) => i + 1).filter((n) => isStruck(fault, n))
    }
    expect(struck('drop every 3rd packet')).toEqual([3, 6, 9])
    expect(struck('drop packets 4-')).toEqual([4, 5, 6, 7, 8, 9])
  })
})

const TOPOLOGY = pairOf({ delay: '10ms' })

async function transfer(
  faults: string[],
  context = new RunContext({ seed: 1, topology: TOPOLOGY, faults: [], capture: false }),
): Promise<WorldRecord> {
  const world = context.world({ label: 'transfer', faults, tcp: { delayedAckUs: 0 } })
  await world.run(async () => {
    const bytes = 14_480
    await world.listen('server', 80, (socket) => socket.end(new Uint8Array(bytes)))
    const socket = await world.connect('client', 'server', 80)
    let come = 0
    await new Promise<void>((resolve) =>
      socket.on('data', (chunk: Uint8Array) => (come += chunk.length) === bytes && resolve()),
    )
    await world.sleep(50_000)
  })
  return world.record()
}

describe('a fault in a world', () => {
  test('that happens is told to the run, one whose packet never comes is not', async () => {
    const told: string[] = []
    const faults = ['drop SYN 1 from client', 'drop data segment 3 from client'].map(parseFault)
    const onFault = (text: string): number => told.push(text)
    await transfer([], new RunContext({ seed: 1, topology: TOPOLOGY, faults, capture: false, onFault }))
    expect(told).toEqual(['drop SYN 1 from client'])
  })

  test('drops the third data segment, and not its retransmission', async () => {
    const data = dataFrom(await transfer(['drop data segment 3 from server']), 'server')
    expect(data.filter(({ fate }) => fate !== '').map(({ seq, receivedAt, fate }) => [seq, receivedAt, fate])).toEqual([
      [1 + 2 * 1448, -1, 'drop data segment 3 from server'],
    ])
    expect(data.filter(({ isAgain }) => isAgain).map(({ seq }) => seq)).toEqual([1 + 2 * 1448])
  })

  test('a corrupted SYN,ACK is not believed, and comes again a second later (RFC 6298 §2.1)', async () => {
    const { packets } = await transfer(['corrupt SYN-ACK once'])
    const synAcks = packets.filter(({ flags, sentAt }) => (flags & 0x12) === 0x12 && sentAt >= 0)
    expect(new Set(synAcks.map(({ sentAt }) => sentAt))).toEqual(new Set([10_000, 1_010_000]))
  })

  test('a delayed segment is overtaken and arrives late, a duplicate arrives twice', async () => {
    const late = dataFrom(await transfer(['delay data segment 2 from server by 5ms']), 'server')
    expect(late[1].receivedAt - late[1].sentAt).toBe(15_000)
    const { packets } = await transfer(['duplicate data segment 2 from server after 7ms'])
    const copies = packets.filter(({ seq, textBytes }) => seq === 1449 && textBytes > 0)
    expect(copies.map(({ receivedAt }) => receivedAt)).toEqual([40_000, 47_000])
  })
})
