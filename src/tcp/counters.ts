// What a host's TCP has counted, by the names that Linux's `nstat` gives (RFC 4022 for the group Tcp, Linux's own for TcpExt), so that
// the two can be laid side by side. One record a host: every connection of it counts into the same.
// Owns: the names. Does not own: when each is counted (where the thing happens).

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
  /** SYNs dropped at a listener, for whatever reason. */
  TcpExtListenDrops: number
  /** SYNs dropped because the queue of connections to accept was full. */
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
  /** Retransmission timeouts. */
  TcpExtTCPTimeouts: number
  /** Tail loss probes sent (RFC 8985 §7). */
  TcpExtTCPLossProbes: number
  /** Losses that only a tail loss probe mended. */
  TcpExtTCPLossProbeRecovery: number
  /** Segments sent again in fast recovery. */
  TcpExtTCPFastRetrans: number
  /** Segments sent again after a timeout. */
  TcpExtTCPSlowStartRetrans: number
  /** Fast recoveries begun without SACK. */
  TcpExtTCPRenoRecovery: number
  /** Fast recoveries begun with SACK. */
  TcpExtTCPSackRecovery: number
  /** Congestion windows put back because a recovery was a mistake. */
  TcpExtTCPFullUndo: number
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
  /** Challenge acknowledgements sent (RFC 5961 §7). */
  TcpExtTCPChallengeACK: number
  /** SYNs on an open connection, each challenged (RFC 5961 §4). */
  TcpExtTCPSYNChallenge: number
  /** Connections given up for want of an answer. */
  TcpExtTCPAbortOnTimeout: number
  /** Connections reset because text came that nobody would read. */
  TcpExtTCPAbortOnData: number
  /** Connections reset because they were closed with text unread. */
  TcpExtTCPAbortOnClose: number
  /** Keep-alive probes sent. */
  TcpExtTCPKeepAlive: number
}

/** All at 0. */
export function createCounters(): TcpCounters {
  return {
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
    TcpExtListenDrops: 0,
    TcpExtListenOverflows: 0,
    TcpExtOfoPruned: 0,
    TcpExtTW: 0,
    TcpExtDelayedACKs: 0,
    TcpExtDelayedACKLost: 0,
    TcpExtPAWSEstab: 0,
    TcpExtTCPTimeouts: 0,
    TcpExtTCPLossProbes: 0,
    TcpExtTCPLossProbeRecovery: 0,
    TcpExtTCPFastRetrans: 0,
    TcpExtTCPSlowStartRetrans: 0,
    TcpExtTCPRenoRecovery: 0,
    TcpExtTCPSackRecovery: 0,
    TcpExtTCPFullUndo: 0,
    TcpExtTCPOFOQueue: 0,
    TcpExtTCPOFODrop: 0,
    TcpExtTCPDSACKOldSent: 0,
    TcpExtTCPDSACKOfoSent: 0,
    TcpExtTCPDSACKRecv: 0,
    TcpExtTCPChallengeACK: 0,
    TcpExtTCPSYNChallenge: 0,
    TcpExtTCPAbortOnTimeout: 0,
    TcpExtTCPAbortOnData: 0,
    TcpExtTCPAbortOnClose: 0,
    TcpExtTCPKeepAlive: 0,
  }
}
