// RFC 8200, IPv6. Owns: its clauses, in our own words, and what speaks for each.

import { rfc } from './clause.ts'

const LAYER = 'src/ip/layer.ts'
const IPV6 = 'src/ip/ipv6.ts'
const CONTROL = 'src/ip/control.ts'

/** RFC 8200, Internet Protocol, Version 6. */
export const IPV6_PACKETS = rfc(8200, 'Internet Protocol, Version 6 (IPv6)', [
  {
    at: '3-a',
    word: 'MUST',
    meaning: 'The header is forty octets, with the length of what follows; octets beyond it are not looked at.',
    tests: [
      'the IPv6 header: what is written is read back',
      'padding beyond the payload length does not belong to the packet',
    ],
    code: [`${IPV6} parseIpv6`, `${IPV6} writeIpv6`],
  },
  {
    at: '3-b',
    word: 'MUST',
    meaning: 'A host takes what has reached it with a hop limit of zero.',
    tests: ['a packet whose hop limit is %i is taken: only routers count'],
    code: [`${LAYER} IpLayer.#judge`],
  },
  {
    at: '4-a',
    word: 'MUST',
    meaning: 'Extension headers are processed in the order in which they stand.',
    tests: [
      'the IPv6 header: %s: skipped to the transport',
      'every truncation of a chain by the payload length is refused',
    ],
    code: [`${IPV6} skipExtensions`],
  },
  {
    at: '4-b',
    word: 'SHOULD',
    meaning: 'An unknown next header is answered with a parameter problem that points at it.',
    tests: ['an unknown next header of IPv6: parameter problem, pointing at it'],
    code: [`${CONTROL} Control.reportUnreachable`],
  },
  {
    at: '4.1-a',
    word: 'MUST',
    meaning: 'Hop-by-hop options stand right behind the IPv6 header; elsewhere they are an unknown header.',
    tests: ['hop-by-hop options after another header are an unknown protocol'],
    code: [`${IPV6} skipExtensions`],
  },
  {
    at: '4.1-b',
    word: 'MUST',
    meaning: 'Extension headers are taken in any order, and any number of times.',
    reason: 'in part: eight of them at most; more are an attempt to keep a host busy',
    tests: ['a chain is bounded'],
    code: [`${IPV6} MAX_EXTENSION_HEADERS`],
  },
  {
    at: '4.2-a',
    word: 'MUST',
    meaning: 'Of an unknown option the two high bits say what to do: pass over, drop, or drop and report.',
    tests: [
      'an option that cannot be used (%s) is refused',
      '%s is answered with a parameter problem',
      'errors that we send: %s is dropped in silence',
    ],
    code: [`${IPV6} judgeOptions`, `${CONTROL} Control.reportHeaderProblem`],
  },
  {
    at: '4.4-a',
    word: 'MUST',
    meaning: 'A routing header of an unknown type is passed over when it is used up, otherwise refused and reported.',
    tests: [
      'a routing header with segments left is refused and its type pointed at',
      '%s is answered with a parameter problem',
    ],
    code: [`${IPV6} skipExtensions`],
  },
  {
    at: '4.5-a',
    word: 'MUST',
    meaning: 'Fragments are put together again, to 1500 octets at least.',
    tests: [
      'a datagram of every size comes out whole, in whatever order its pieces come',
      'behind the header of a true fragment nothing is parsed',
    ],
    code: [`${LAYER} IpLayer.#reassemble`, 'src/ip/fragments.ts Reassembler.take'],
  },
  {
    at: '4.5-b',
    word: 'MUST',
    meaning: 'A packet that is its only fragment is taken by itself.',
    tests: ['an atomic fragment is a whole packet, whatever waits under its identification'],
    code: [`${IPV6} skipExtensions`],
  },
  {
    at: '4.7-a',
    word: 'MUST',
    meaning: 'Behind No Next Header nothing is looked at.',
    tests: ['No Next Header: nothing follows, and nothing is answered'],
    code: [`${CONTROL} Control.reportUnreachable`],
  },
  {
    at: '5-a',
    word: 'MUST',
    meaning: 'Every link takes packets of 1280 octets.',
    tests: ['options that cannot be are refused with what would mend them'],
    code: [`${LAYER} checkOptions`],
  },
  {
    at: '5-b',
    word: 'SHOULD',
    meaning: 'A sender finds out the path’s MTU.',
    tests: [
      'packet too big lowers the segment size',
      'a new connection to the same host starts with what the one before it was told',
    ],
    code: ['src/tcp/icmp-errors.ts arrivesTooBig', 'src/tcp/path-mtu-cache.ts PathMtuCache'],
  },
  {
    at: '8.1-a',
    word: 'MUST',
    meaning: 'Checksums of transports cover a pseudo-header with both addresses.',
    tests: [
      'the pseudo-header: of IPv6 has 16-byte addresses and a 32-bit length',
      'every segment that we send has a checksum, and it is right',
    ],
    code: ['src/ip/checksum.ts pseudoHeaderSum'],
  },
  {
    at: '8.3-a',
    word: 'MUST',
    meaning: 'The MSS that is announced is the largest packet less sixty octets.',
    tests: ['the MSS that we announce is what our link takes less the fixed headers'],
    code: ['src/tcp/create-tcb.ts createTcb'],
  },
])
