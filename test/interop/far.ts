// A namespace behind a cable, to which the kernel of this one forwards: tests whose packets pass a router that is Linux.
// Ours is on the TUN device of site.ts, 10.77.0.2; this kernel has 10.77.0.1 and 10.78.0.1; the far one has 10.78.0.2.

import { writeFileSync } from 'node:fs'
import { Namespace, sh } from './kernel.ts'

/** The far addresses. */
export const FAR = { 4: '10.78.0.2', 6: 'fd78::2' } as const

/** The cable's near end. */
export const NEAR_DEVICE = 'tst1'

function setForwarding(value: string): void {
  for (const name of ['ipv4/ip_forward', 'ipv6/conf/all/forwarding']) writeFileSync(`/proc/sys/net/${name}`, value)
}

/** Makes the namespace and the cable, and has the kernel forward. */
export async function openFar(): Promise<Namespace> {
  const far = await Namespace.make()
  sh(`ip link add ${NEAR_DEVICE} type veth peer name tst2 netns ${far.pid}`)
  for (const [prefix, device, v4, v6] of [
    [[], NEAR_DEVICE, '10.78.0.1', 'fd78::1'],
    [far.prefix, 'tst2', FAR[4], FAR[6]],
  ] as const) {
    sh(`ip addr add ${v4}/24 dev ${device}`, prefix)
    sh(`ip addr add ${v6}/64 dev ${device} nodad`, prefix)
    sh(`ip link set ${device} up`, prefix)
  }
  sh('ip route add default via 10.78.0.1', far.prefix)
  sh('ip -6 route add default via fd78::1', far.prefix)
  setForwarding('1')
  return far
}

/** Takes both away. */
export function closeFar(far: Namespace): void {
  setForwarding('0')
  sh(`ip link del ${NEAR_DEVICE}`)
  far.stop()
}

/** The route there takes packets of so many bytes: what does not fit is refused, by ICMP. */
export function setPathMtu(family: 4 | 6, mtu: number): void {
  const metric = family === 4 ? 0 : 1 // in place of the route that came with the address, or before it
  const there = family === 4 ? '10.78.0.0/24' : 'fd78::/64'
  sh(`ip -${family} route replace ${there} dev ${NEAR_DEVICE} metric ${metric} mtu lock ${mtu}`)
}
