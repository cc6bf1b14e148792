// A capture file on disk that is whole blocks at any time. Owns: joining the format (trace/pcapng.ts) and the file (growing-file.ts).
// Does not own: which packets (link/capture.ts).

import { type PcapngFamily, PcapngWriter } from '../trace/pcapng.ts'
import type { CliError } from './errors.ts'
import { GrowingFile } from './growing-file.ts'

/** A pcapng file being written. */
export class CaptureFile extends GrowingFile {
  /** Give each packet to its `packet`. */
  readonly writer: PcapngWriter

  /**
   * Creates the file, or empties it.
   * @param name of the interface, as Wireshark shows it
   * @param epochUs what the instant 0 of the packets' clock is, in microseconds since 1970
   * @param onError told once when the disk takes no more; the capture ends there
   * @param family what the packets are
   * @throws {CliError} naming --pcap
   */
  constructor(
    path: string,
    name: string,
    epochUs: number,
    onError: (error: CliError) => void,
    family: PcapngFamily = 'raw',
  ) {
    super('--pcap', path, onError)
    this.writer = new PcapngWriter((bytes) => this.add(bytes), { name, epochUs, family })
  }
}
