// RFC 1122 §3, the Internet layer of hosts. Owns: its clauses, in our own words, and what speaks for each.

import { rfc } from './clause.ts'

const LAYER = 'src/ip/layer.ts'
const IPV4 = 'src/ip/ipv4.ts'
const CONTROL = 'src/ip/control.ts'

/** RFC 1122, Requirements for Internet Hosts, the part on IP. */
export const HOSTS = rfc(1122, 'Requirements for Internet Hosts: Communication Layers, §3 (IP)', [
  {
    at: '3.1-a',
    word: 'MUST',
    meaning: 'A host does not forward what is not for it.',
    tests: ['nothing is forwarded, and nobody is told', 'a packet to %s is not for us'],
    code: ['src/ip/judge.ts judgeAddresses'],
  },
  {
    at: '3.2.1.1-a',
    word: 'MUST',
    meaning: 'A packet of another version is dropped in silence.',
    tests: [
      'a wrong version or header checksum is dropped, and nobody is told',
      'any other version is refused by both codecs',
    ],
    code: [`${IPV4} parseIpv4`],
  },
  {
    at: '3.2.1.2-a',
    word: 'MUST',
    meaning: 'The header checksum of every packet is verified; one that is wrong is dropped in silence.',
    tests: [
      'a wrong version or header checksum is dropped, and nobody is told',
      'one flipped bit anywhere in the header is found by the checksum',
    ],
    code: [`${IPV4} parseIpv4`],
  },
  {
    at: '3.2.1.3-a',
    word: 'MUST',
    meaning: 'What is not addressed to this host is dropped in silence; groups and broadcasts of its networks are.',
    tests: ['a packet to %s is not for us', 'a packet to %s is delivered, marked as not unicast'],
    code: ['src/ip/judge.ts judgeAddresses'],
  },
  {
    at: '3.2.1.3-b',
    word: 'MUST',
    meaning: 'What comes from an address that no host outside can have is dropped in silence.',
    tests: ['a packet from %s (%s) is dropped'],
    code: ['src/ip/judge.ts judgeAddresses'],
  },
  {
    at: '3.2.1.3-c',
    word: 'MUST',
    meaning: 'What a host sends comes from one of its own addresses, never from a group.',
    tests: [
      'options that cannot be are refused with what would mend them',
      'a SYN comes from the address that IP chose',
    ],
    code: ['src/ip/own-addresses.ts checkAddress', 'src/ip/addressing.ts Addressing.sourceFor'],
  },
  {
    at: '3.2.1.6-a',
    word: 'MUST',
    meaning: 'The transport sets the type of service of what it sends.',
    tests: ['hop limit, traffic class and source of a packet are those of whoever sends it'],
    code: [`${LAYER} IpLayer.writeHeader`],
  },
  {
    at: '3.2.1.6-b',
    word: 'SHOULD',
    meaning: 'The type of service received is told to the transport.',
    tests: ['code point and hop limit are changed for the next segments; the received code point is shown'],
    code: ['src/tcp/layer.ts TcpLayer.#handle'],
  },
  {
    at: '3.2.1.7-a',
    word: 'MUST',
    meaning: 'Nothing is sent with a time to live of zero.',
    tests: ['no hop limit of 0 can be set for the host; 0 for a connection means that of the host'],
    code: ['src/ip/layer-options.ts checkOptions'],
  },
  {
    at: '3.2.1.7-b',
    word: 'MUST',
    meaning: 'Nothing that is received is dropped for a small time to live.',
    tests: ['a packet whose hop limit is %i is taken: only routers count'],
    code: [`${LAYER} IpLayer.#judge`],
  },
  {
    at: '3.2.1.7-c',
    word: 'MUST',
    meaning: 'The transport sets the time to live; a fixed default can be set.',
    tests: [
      'hop limit, traffic class and source of a packet are those of whoever sends it',
      'hop limit and traffic class of a connection are its settings',
    ],
    code: [`${LAYER} IpLayer.writeHeader`, 'src/ip/layer-options.ts IpLayerOptions.hopLimit'],
  },
  {
    at: '3.2.1.8-a',
    word: 'MUST',
    meaning: 'Options that are not understood are passed over in silence.',
    tests: ['the IPv4 header: %s is skipped', 'an option with a bad length (%s) is refused, not followed'],
    code: [`${IPV4} judgeOptions`],
  },
  {
    at: '3.2.1.8-b',
    word: 'MUST',
    meaning: 'Options are handed to the transport, and those of the transport are sent.',
    reason: 'not yet: no transport here has a use for one',
  },
  {
    at: '3.2.1.8-c',
    word: 'MUST',
    meaning: 'Source routes are taken by their last host, and can be sent.',
    reason: 'declined: source routes are a way around filters; what has one is dropped (RFC 7126 §4.3, §4.4)',
    tests: ['a source route (%s) is refused'],
    code: [`${IPV4} judgeOptions`],
  },
  {
    at: '3.2.2-a',
    word: 'MUST',
    meaning: 'ICMP of an unknown type is dropped in silence.',
    tests: ['what is ignored: ICMP %s'],
    code: [`${CONTROL} Control.handle`],
  },
  {
    at: '3.2.2-b',
    word: 'MUST',
    meaning: 'An error carries the header of what it is about, and eight octets more at least.',
    tests: [
      'an ICMP error carries the header of what it is about and at least eight octets',
      'an error quotes as much as fits, and no more',
    ],
    code: [`${CONTROL} Control.#sendError`],
  },
  {
    at: '3.2.2-c',
    word: 'MUST',
    meaning:
      'There is no error about an error, a group, a broadcast, a later fragment, or a source that is not one host.',
    tests: ['never about what was %s', 'never about a later fragment, nor to a source that is not one host'],
    code: ['src/ip/quotes.ts mayReport'],
  },
  {
    at: '3.2.2-d',
    word: 'MUST',
    meaning: 'An error that is received is handed to the transport whose packet it quotes.',
    tests: ['%s is handed up with ports and sequence number', 'a quote of what we did not send is refused'],
    code: [`${CONTROL} Control.#handUpError`],
  },
  {
    at: '3.2.2.1-a',
    word: 'SHOULD',
    meaning: 'An unknown protocol, and a port that nobody has, are answered with Destination Unreachable.',
    tests: [
      'an unknown protocol of IPv4: protocol unreachable, quoting the packet',
      'a closed port (RFC 1122 §3.2.2.1',
    ],
    code: [`${CONTROL} Control.reportUnreachable`],
  },
  {
    at: '3.2.2.2-a',
    word: 'MUST',
    meaning: 'A redirect changes the route to the host that it names.',
    reason: 'does not apply: the device is point-to-point, with one way out; a redirect could only be forged',
    tests: ['a redirect changes no route'],
    code: [`${CONTROL} Control.handle`],
  },
  {
    at: '3.2.2.3-a',
    word: 'MUST',
    meaning: 'A Source Quench is handed to the transport.',
    reason: 'declined: RFC 6633 has since made it a message to be ignored',
    tests: ['a Source Quench changes nothing'],
    code: [`${CONTROL} Control.handle`],
  },
  {
    at: '3.2.2.4-a',
    word: 'MUST',
    meaning: 'Time Exceeded, and Parameter Problem (§3.2.2.5), are handed to the transport.',
    tests: ['%s is handed up with ports and sequence number'],
    code: [`${CONTROL} Control.#handUpError`],
  },
  {
    at: '3.2.2.6-a',
    word: 'MUST',
    meaning: 'An echo request is answered, with all its data, from the address that it was sent to.',
    tests: ['a ping of %s is answered at any size up to the MTU', 'a ping of %s is answered from an own address'],
    code: [`${CONTROL} Control.#answerEcho`],
  },
  {
    at: '3.2.2.6-b',
    word: 'SHOULD',
    meaning: 'Record Route and Timestamp options of a request come back in the reply.',
    reason: 'not yet: the reply goes without options',
    tests: ['a ping with IPv4 options or IPv6 extension headers is answered without them'],
    code: [`${CONTROL} Control.#answerEcho`],
  },
  {
    at: '3.2.2.7-a',
    word: 'SHOULD',
    meaning:
      'Information requests are not answered; nor need timestamp (§3.2.2.8) and address mask requests (§3.2.2.9) be.',
    tests: ['information, timestamp and address mask requests are not answered'],
    code: [`${CONTROL} Control.handle`],
  },
  {
    at: '3.3.1-a',
    word: 'MUST',
    meaning: 'For each packet a route is chosen, the most specific one.',
    tests: ['the longest prefix wins, whatever the order'],
    code: ['src/ip/routes.ts RouteTable.lookup'],
  },
  {
    at: '3.3.2-a',
    word: 'MUST',
    meaning: 'Fragments are put together again, to 576 octets at least.',
    tests: ['a datagram of every size comes out whole, in whatever order its pieces come'],
    code: [`${LAYER} IpLayer.#reassemble`, 'src/ip/fragments.ts Reassembler.take'],
  },
  {
    at: '3.3.3-a',
    word: 'MAY',
    meaning: 'Packets may be fragmented by their sender.',
    tests: ['a reply beyond the MTU goes in fragments'],
    code: ['src/ip/outbound.ts Outbound.poll'],
  },
  {
    at: '3.3.4.3-a',
    word: 'MUST',
    meaning: 'A host with several addresses chooses the one to send from by the destination and its route.',
    tests: ['that of the same family on the network of the destination', 'a SYN comes from the address that IP chose'],
    code: ['src/ip/addressing.ts Addressing.sourceFor', 'src/ip/source-address.ts selectSource'],
  },
  {
    at: '3.3.6-a',
    word: 'MUST',
    meaning:
      'The limited broadcast address, and the directed one of each of its networks, are known for what they are.',
    tests: [
      'a broadcast address is all ones in an own prefix of at most 30 bits',
      'a packet to %s is delivered, marked as not unicast',
    ],
    code: ['src/ip/own-addresses.ts OwnAddresses.isBroadcast'],
  },
])
