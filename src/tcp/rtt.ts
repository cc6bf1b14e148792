// The retransmission timeout (RFC 6298 §2; RFC 9293 §3.8.1 [MUST-18]): SRTT and RTTVAR from round-trip samples, RTO from both.
// Karn's rule is kept by the callers: a segment that was sent twice gives no sample, unless a timestamp tells which copy was answered.

import type { Micros } from '../base/time.ts'
import type { TcpConfig } from './config.ts'

/** Round-trip state of a connection, all in microseconds. */
export interface RttState {
  /** -1 before the first sample. */
  srttUs: number
  rttvarUs: number
  /** RTO before backing off. */
  rtoUs: number
  /** Least sample seen; Infinity before the first. */
  minUs: number
  /** Latest sample; -1 before the first. */
  latestUs: number
  /** How many there have been. */
  samples: number
  /** How often the timeout has been doubled (RFC 6298 §5.5); until new data is acknowledged, see measure() in ack.ts. */
  backoff: number
  /** Consecutive timeouts without progress. */
  timeouts: number
}

/** State before any measurement. */
export function createRtt(config: TcpConfig): RttState {
  return {
    srttUs: -1,
    rttvarUs: 0,
    rtoUs: config.initialRtoUs,
    minUs: Number.POSITIVE_INFINITY,
    latestUs: -1,
    samples: 0,
    backoff: 0,
    timeouts: 0,
  }
}

/** Takes a round-trip sample (RFC 6298 §2.2, §2.3). */
export function sampleRtt(rtt: RttState, sampleUs: Micros, config: TcpConfig): void {
  const r = Math.max(1, sampleUs)
  rtt.backoff = 0
  rtt.latestUs = r
  rtt.samples++
  if (r < rtt.minUs) rtt.minUs = r
  if (rtt.srttUs < 0) {
    rtt.srttUs = r
    rtt.rttvarUs = r / 2
  } else {
    rtt.rttvarUs = 0.75 * rtt.rttvarUs + 0.25 * Math.abs(rtt.srttUs - r)
    rtt.srttUs = 0.875 * rtt.srttUs + 0.125 * r
  }
  // DEVIATION: RFC 6298 §2.4 rounds RTO up to 1 s. As in Linux the minimum bounds the variance term instead, so that a peer that
  // delays its acknowledgements by up to 200 ms is never taken for a loss, and a real loss is mended sooner.
  rtt.rtoUs = Math.min(config.maxRtoUs, rtt.srttUs + Math.max(config.minRtoUs, 4 * rtt.rttvarUs))
}

/** The timeout to arm now: RTO doubled once for each consecutive expiry (RFC 6298 §5.5, RFC 9293 §3.8.2 [MUST-19]), bounded. */
export function backedOffRtoUs(rtt: RttState, config: TcpConfig): Micros {
  return Math.min(config.maxRtoUs, rtt.rtoUs * (1 << Math.min(rtt.backoff, 30)))
}
