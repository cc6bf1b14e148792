// What a host's TCP has counted, by the names that Linux's `nstat` gives (RFC 4022 for the group Tcp, Linux's own for TcpExt), so that
// the two can be laid side by side. One record a host: every connection of it counts into the same.
// Owns: the names. Does not own: when each is counted (where the thing happens).

import { FLAG, type SegmentPlan } from './header.ts'

/** Counters by nstat's names; all start at 0 and only grow, but TcpCurrEstab, which is how many there are now. */
export interface TcpCounters {
  /** SYN-SENT entered from CLOSED. */
  TcpActiveOpens: number
  /** SYN-RECEIVED entered from LISTEN. */
  TcpPassiveOpens: number
  /** SYN-SENT or SYN-RECEIVED left for CLOSED. */
  TcpAttemptFails: number
  /** ESTABLISHED or CLOSE-WAIT left for CLOSED at once. */
  TcpEstabResets: number
  /** Connections in ESTABLISHED or CLOSE-WAIT now. */
  TcpCurrEstab: number
  /** Segments received, those in error too. */
  TcpInSegs: number
  /** Segments sent; a super-segment counts as the segments on the wire, what is sent again does not count (RFC 4022). */
  TcpOutSegs: number
  /** Segments sent again. */
  TcpRetransSegs: number
  /** Segments that could not be used: too short, a bad data offset, a bad checksum. */
  TcpInErrs: number
  /** Segments sent with RST. */
  TcpOutRsts: number
  /** Of TcpInErrs, those with a bad checksum. */
  TcpInCsumErrors: number
  /** SYNs answered with a cookie. */
  TcpExtSyncookiesSent: number
  /** Acknowledgements that brought a cookie back. */
  TcpExtSyncookiesRecv: number
  /** Acknowledgements that might have brought one back, but did not. */
  TcpExtSyncookiesFailed: number
  /** Half-open connections of a listener ended by a reset or a SYN in the window, or reset by us. */
  TcpExtEmbryonicRsts: number
  /** SYNs and such ACKs dropped at a listener, for whatever reason. */
  TcpExtListenDrops: number
  /** SYNs, and ACKs that end a handshake, dropped because the queue of connections to accept was full. */
  TcpExtListenOverflows: number
  /** Pieces of text dropped from the out-of-order queue to make room. */
  TcpExtOfoPruned: number
  /** Connections that entered TIME-WAIT. */
  TcpExtTW: number
  /** Acknowledgements that waited for their timer. */
  TcpExtDelayedACKs: number
  /** Segments that came again though all of their text was there: an acknowledgement of ours was lost, or late. */
  TcpExtDelayedACKLost: number
  /** Segments refused for an old timestamp (RFC 7323 §5). */
  TcpExtPAWSEstab: number
  /** Fast recoveries begun without SACK. */
  TcpExtTCPRenoRecovery: number
  /** Fast recoveries begun with SACK. */
  TcpExtTCPSackRecovery: number
  /** Peers that threw away what they had SACKed. */
  TcpExtTCPSACKReneging: number
  /** Segments, sent once, that SACK shows to have been overtaken. */
  TcpExtTCPSACKReorder: number
  /** The same, shown by timestamps: in a fast recovery that was a mistake. */
  TcpExtTCPTSReorder: number
  /** Windows put back when fast recovery was over, because an echoed timestamp showed that it was a mistake. */
  TcpExtTCPFullUndo: number
  /** Windows put back, for the same reason, in the midst of fast recovery. */
  TcpExtTCPPartialUndo: number
  /** Windows put back because DSACKs reported all that was sent again. */
  TcpExtTCPDSACKUndo: number
  /** Windows put back after a timeout that was a mistake, whatever showed it. */
  TcpExtTCPLossUndo: number
  /** Segments sent again that were lost again. */
  TcpExtTCPLostRetransmit: number
  /** Timeouts without SACK after duplicate acknowledgements too few for fast retransmit. */
  TcpExtTCPRenoFailures: number
  /** Timeouts while something was SACKed, but too little for fast retransmit. */
  TcpExtTCPSackFailures: number
  /** Timeouts while an earlier timeout was being recovered from. */
  TcpExtTCPLossFailures: number
  /** Segments sent again in fast recovery. */
  TcpExtTCPFastRetrans: number
  /** Segments sent again after a timeout. */
  TcpExtTCPSlowStartRetrans: number
  /** Retransmission timeouts. */
  TcpExtTCPTimeouts: number
  /** Tail loss probes sent (RFC 8985 §7). */
  TcpExtTCPLossProbes: number
  /** Losses that only a tail loss probe mended. */
  TcpExtTCPLossProbeRecovery: number
  /** Timeouts in fast recovery without SACK. */
  TcpExtTCPRenoRecoveryFail: number
  /** Timeouts in fast recovery with SACK. */
  TcpExtTCPSackRecoveryFail: number
  /** Segments put into the out-of-order queue. */
  TcpExtTCPOFOQueue: number
  /** Segments that there was no room for in the out-of-order queue. */
  TcpExtTCPOFODrop: number
  /** Duplicates to report by DSACK, of text below RCV.NXT. */
  TcpExtTCPDSACKOldSent: number
  /** The same, of text out of order. */
  TcpExtTCPDSACKOfoSent: number
  /** DSACKs received. */
  TcpExtTCPDSACKRecv: number
  /** Connections dropped from TIME-WAIT because there were too many. */
  TcpExtTCPTimeWaitOverflow: number
  /** SYNs that found the half-open queue full, or met `always`, and drew a cookie. */
  TcpExtTCPReqQFullDoCookies: number
  /** Half-open connections that gave way to a SYN because the queue was full. */
  TcpExtTCPReqQFullDrop: number
  /** Bare ACKs that ended a handshake and were passed over because text is waited for. */
  TcpExtTCPDeferAcceptDrop: number
  /** Timeouts that F-RTO has shown to be needless (RFC 5682). */
  TcpExtTCPSpuriousRTOs: number
  /** Segments dropped for want of an MD5 signature (RFC 2385 §2.0). */
  TcpExtTCPMD5NotFound: number
  /** Segments dropped for an MD5 signature from a peer that has no key here. */
  TcpExtTCPMD5Unexpected: number
  /** Segments dropped for an MD5 signature that was wrong. */
  TcpExtTCPMD5Failure: number
  /** Challenge acknowledgements sent (RFC 5961 §7). */
  TcpExtTCPChallengeACK: number
  /** SYNs on an open connection, each challenged (RFC 5961 §4). */
  TcpExtTCPSYNChallenge: number
  /** ICMP errors that quote no segment in flight (RFC 5927 §4.1). */
  TcpExtOutOfWindowIcmps: number
  /** Connections given up for want of an answer. */
  TcpExtTCPAbortOnTimeout: number
  /** Connections reset because text came that nobody would read, or by CLOSE with a linger time of 0. */
  TcpExtTCPAbortOnData: number
  /** Connections reset because they were closed with text unread. */
  TcpExtTCPAbortOnClose: number
  /** Connections reset because too many were closed by their application and not over (orphans). */
  TcpExtTCPAbortOnMemory: number
  /** Text in a SYN that the server took (RFC 7413). */
  TcpExtTCPFastOpenActive: number
  /** Text in a SYN that the server did not take, or whose SYN was lost. */
  TcpExtTCPFastOpenActiveFail: number
  /** Text in a SYN that we took. */
  TcpExtTCPFastOpenPassive: number
  /** SYNs with a cookie that is not ours. */
  TcpExtTCPFastOpenPassiveFail: number
  /** SYNs whose text was not taken because too many such connections were not established yet. */
  TcpExtTCPFastOpenListenOverflow: number
  /** SYNs that asked for a cookie. */
  TcpExtTCPFastOpenCookieReqd: number
  /** Connections reset in FIN-WAIT-2 because nobody waits there (TCP_LINGER2 below 0). */
  TcpExtTCPAbortOnLinger: number
  /** Probes for a larger path MTU that failed (RFC 4821 §7.6.2). */
  TcpExtTCPMTUPFail: number
  /** Probes for a larger path MTU that arrived. */
  TcpExtTCPMTUPSuccess: number
  /** Keep-alive probes sent. */
  TcpExtTCPKeepAlive: number
  /** Segments of ours delivered that the peer says were marked (ECN). */
  TcpExtTCPDeliveredCE: number
}

const ZEROS: TcpCounters = {
  TcpActiveOpens: 0,
  TcpPassiveOpens: 0,
  TcpAttemptFails: 0,
  TcpEstabResets: 0,
  TcpCurrEstab: 0,
  TcpInSegs: 0,
  TcpOutSegs: 0,
  TcpRetransSegs: 0,
  TcpInErrs: 0,
  TcpOutRsts: 0,
  TcpInCsumErrors: 0,
  TcpExtSyncookiesSent: 0,
  TcpExtSyncookiesRecv: 0,
  TcpExtSyncookiesFailed: 0,
  TcpExtEmbryonicRsts: 0,
  TcpExtListenDrops: 0,
  TcpExtListenOverflows: 0,
  TcpExtOfoPruned: 0,
  TcpExtTW: 0,
  TcpExtDelayedACKs: 0,
  TcpExtDelayedACKLost: 0,
  TcpExtPAWSEstab: 0,
  TcpExtTCPRenoRecovery: 0,
  TcpExtTCPSackRecovery: 0,
  TcpExtTCPSACKReneging: 0,
  TcpExtTCPSACKReorder: 0,
  TcpExtTCPTSReorder: 0,
  TcpExtTCPFullUndo: 0,
  TcpExtTCPPartialUndo: 0,
  TcpExtTCPDSACKUndo: 0,
  TcpExtTCPLossUndo: 0,
  TcpExtTCPLostRetransmit: 0,
  TcpExtTCPRenoFailures: 0,
  TcpExtTCPSackFailures: 0,
  TcpExtTCPLossFailures: 0,
  TcpExtTCPFastRetrans: 0,
  TcpExtTCPSlowStartRetrans: 0,
  TcpExtTCPTimeouts: 0,
  TcpExtTCPLossProbes: 0,
  TcpExtTCPLossProbeRecovery: 0,
  TcpExtTCPRenoRecoveryFail: 0,
  TcpExtTCPSackRecoveryFail: 0,
  TcpExtTCPOFOQueue: 0,
  TcpExtTCPOFODrop: 0,
  TcpExtTCPDSACKOldSent: 0,
  TcpExtTCPDSACKOfoSent: 0,
  TcpExtTCPDSACKRecv: 0,
  TcpExtTCPTimeWaitOverflow: 0,
  TcpExtTCPReqQFullDoCookies: 0,
  TcpExtTCPReqQFullDrop: 0,
  TcpExtTCPDeferAcceptDrop: 0,
  TcpExtTCPSpuriousRTOs: 0,
  TcpExtTCPMD5NotFound: 0,
  TcpExtTCPMD5Unexpected: 0,
  TcpExtTCPMD5Failure: 0,
  TcpExtTCPChallengeACK: 0,
  TcpExtTCPSYNChallenge: 0,
  TcpExtOutOfWindowIcmps: 0,
  TcpExtTCPAbortOnTimeout: 0,
  TcpExtTCPAbortOnData: 0,
  TcpExtTCPAbortOnClose: 0,
  TcpExtTCPAbortOnMemory: 0,
  TcpExtTCPFastOpenActive: 0,
  TcpExtTCPFastOpenActiveFail: 0,
  TcpExtTCPFastOpenPassive: 0,
  TcpExtTCPFastOpenPassiveFail: 0,
  TcpExtTCPFastOpenListenOverflow: 0,
  TcpExtTCPFastOpenCookieReqd: 0,
  TcpExtTCPAbortOnLinger: 0,
  TcpExtTCPMTUPFail: 0,
  TcpExtTCPMTUPSuccess: 0,
  TcpExtTCPKeepAlive: 0,
  TcpExtTCPDeliveredCE: 0,
}

/** All at 0. */
export function createCounters(): TcpCounters {
  return { ...ZEROS }
}

/** Counts a received segment that could not be used at all; other verdicts are counted where they are given. */
export function countDropped(counters: TcpCounters, verdict: string): void {
  if (verdict === 'tcp-bad-checksum') counters.TcpInCsumErrors++
  const isInError = verdict === 'tcp-bad-checksum' || verdict === 'tcp-too-short' || verdict === 'tcp-bad-data-offset'
  if (isInError) counters.TcpInErrs++
}

/** Counts a segment that goes out; a super-segment as the segments that it will be. Returns how many those are. */
export function countSent(counters: TcpCounters, plan: SegmentPlan): number {
  const count = plan.segmentBytes > 0 ? Math.ceil(plan.textLength / plan.segmentBytes) : 1
  if (plan.isResent) counters.TcpRetransSegs += count
  else counters.TcpOutSegs += count
  if ((plan.flags & FLAG.RST) !== 0) counters.TcpOutRsts++
  return count
}
