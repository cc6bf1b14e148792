import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { curl, folder, MIB, run, serve, writeBytes } from './helpers.ts'

// What an outsider sees on a clean link: tshark's expert view of our packets, checksums verified.
const files = folder()
const OUT = folder()
const URL4 = 'http://10.77.0.2'
const pcap = OUT.file('trace.pcapng')

const MALFORMED =
  '_ws.malformed || tcp.option.len.invalid || tcp.bogus_header_length || tcp.short_segment || tcp.ack.nonzero || ' +
  'tcp.urgent_pointer.non_zero || tcp.non_zero_bytes_after_eol || tcp.checksum.status==0 || ip.checksum.status==0'
const UNCLEAN =
  'tcp.analysis.retransmission || tcp.analysis.fast_retransmission || tcp.analysis.spurious_retransmission || ' +
  'tcp.analysis.out_of_order || tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment || tcp.analysis.duplicate_ack || ' +
  'tcp.analysis.reused_ports'

async function matching(filter: string): Promise<string> {
  // TCP is looked at, not what it carries: putting 100 MiB of HTTP together would take minutes.
  const onlyTcp = ['-o', 'tcp.desegment_tcp_streams:FALSE', '--disable-protocol', 'http']
  const args = ['-o', 'tcp.check_checksum:TRUE', '-o', 'ip.check_checksum:TRUE', ...onlyTcp, '-r', pcap, '-Y', filter]
  const got = await run('tshark', args)
  expect(got.code, got.stderr).toBe(0)
  return got.text.split('\n').slice(0, 10).join('\n')
}

beforeAll(async () => {
  writeBytes(files.file('big.bin'), 100 * MIB, 7)
  writeBytes(files.file('small.bin'), 5000, 8)
  // Without offload: what is captured is what would be on a wire.
  const server = await serve([files.path, '--upload', '--quiet', '--no-offload', '--pcap', pcap], `${URL4}/small.bin`)
  await curl('-o', OUT.file('big'), `${URL4}/big.bin`)
  await curl('--data-binary', `@${files.file('big.bin')}`, `${URL4}/upload`)
  await Promise.all(Array.from({ length: 50 }, () => curl('-o', '/dev/null', `${URL4}/small.bin`)))
  await curl('-g', '-o', '/dev/null', 'http://[fd77::2]/small.bin')
  await server.stop('SIGINT')
}, 180_000)
afterAll(async () => {
  files.remove()
  OUT.remove()
})

describe('tshark on a capture of clean transfers', () => {
  test('sees all of them', async () => {
    expect(await matching('tcp.flags.syn==1 && tcp.flags.ack==1')).not.toBe('')
    expect(await matching('ipv6 && tcp')).not.toBe('')
  })

  test('finds nothing malformed and every checksum right', async () => {
    expect(await matching(`(ip.src==10.77.0.2 || ipv6.src==fd77::2) && (${MALFORMED})`)).toBe('')
  })

  test('finds nothing lost, repeated or out of order from our side', async () => {
    expect(await matching(`(ip.src==10.77.0.2 || ipv6.src==fd77::2) && (${UNCLEAN})`)).toBe('')
  })

  test('finds no MSS option outside a SYN, no segment above the MSS, no late acknowledgement', async () => {
    expect(await matching('ip.src==10.77.0.2 && tcp.options.mss && tcp.flags.syn==0')).toBe('')
    expect(await matching('ip.src==10.77.0.2 && tcp.len > 1460')).toBe('')
    expect(await matching('ip.src==10.77.0.2 && tcp.analysis.ack_rtt > 0.5')).toBe('')
  })
})
