import { describe, expect, test } from 'vitest'
import { compareLines, compareSegments } from '../../src/lab/capture-compare.ts'
import { conversationsOf, replayConversation } from '../../src/lab/capture-replay.ts'
import { experimentNamed } from '../../src/lab/registry.ts'
import { runExperiment } from '../../src/lab/run.ts'
import { isCapture, readCapture } from '../../src/trace/pcap-read.ts'

async function captureOf(host: string, given: Record<string, string> = {}): Promise<Uint8Array> {
  const { worlds } = await runExperiment(experimentNamed('transfer'), {
    given: { bytes: '20kb', loss: '0%', congestion: 'reno', ...given },
  })
  return worlds[0].captures.find((capture) => capture.host === host)?.bytes ?? new Uint8Array()
}

/** The same packets as a classic capture with Ethernet headers, big-endian. */
function asPcap(pcapng: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [
    Uint8Array.of(0xa1, 0xb2, 0xc3, 0xd4, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 1),
  ]
  for (const { at, bytes } of readCapture(pcapng)) {
    const head = new DataView(new ArrayBuffer(30))
    head.setUint32(0, Math.floor(at / 1e6))
    head.setUint32(4, at % 1e6)
    head.setUint32(8, bytes.length + 14)
    head.setUint32(12, bytes.length + 14)
    head.setUint16(28, 0x0800)
    parts.push(new Uint8Array(head.buffer), bytes)
  }
  return Uint8Array.from(parts.flatMap((part) => [...part]))
}

describe('a capture', () => {
  test('is read as pcap and as pcapng, whole or torn', async () => {
    const pcapng = await captureOf('client', { bytes: '3kb' })
    const packets = readCapture(pcapng)
    expect(packets.length).toBeGreaterThanOrEqual(6)
    expect(readCapture(asPcap(pcapng))).toEqual(packets)
    expect(readCapture(pcapng.subarray(0, pcapng.length - 5))).toEqual(packets.slice(0, -1))
    expect(isCapture(new TextEncoder().encode('{"kind":"run","version":"0"}'))).toBe(false)
    expect(() => readCapture(new Uint8Array(100))).toThrow('neither pcap nor pcapng')
  })

  test.each(['client', 'server'] as const)('of our own stack is answered by our %s as it was', async (as) => {
    const [conversation] = conversationsOf(readCapture(await captureOf(as)))
    const recorded = conversation.segments.filter(({ isFromClient }) => isFromClient === (as === 'client'))
    const ours = replayConversation(conversation, { as })
    const lines = compareLines(compareSegments(recorded, ours, 1000))
    expect(lines).toEqual([expect.stringContaining(`${recorded.length} of ${recorded.length} packets are the same`)])
  })

  test('of another initial window shows where ours sends what was not sent then', async () => {
    const [conversation] = conversationsOf(readCapture(await captureOf('client')))
    const recorded = conversation.segments.filter(({ isFromClient }) => isFromClient)
    const ours = replayConversation(conversation, { as: 'client', tcp: { initialWindowSegments: 2 } })
    const compared = compareSegments(recorded, ours, 1000)
    const late = compared.filter(({ differences }) => differences.some((text) => text.endsWith('ms later')))
    expect(late.length).toBeGreaterThan(0)
    expect(late[0].recorded?.seq).toBe(1 + 2 * 1448)
  })
})
