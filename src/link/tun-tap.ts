// A TAP device of Linux: Ethernet frames of the kernel in this program's hands.
// Owns: opening one. Does not own: reading and writing it (tun.ts), what the frames say (src/ethernet).
// Read first: the kernel's Documentation/networking/tuntap.rst.

import { TunDevice } from './tun.ts'
import { openTunDescriptor, type TunOptions } from './tun-open.ts'

/** Bytes of a frame besides the IP packet: an Ethernet header, and a tag. */
const FRAME_OVERHEAD_BYTES = 18

/** Options of openTap: those of openTun but for the offload, of which there is none. Default name `tunstack-tap%d`. */
export type TapOptions = Omit<TunOptions, 'offload' | 'persistent'>

/**
 * Opens a TAP device and configures the kernel's end of it, as openTun does a TUN device; its packets are Ethernet frames, and its `mtu`
 * is the largest of them: give it to an EthernetDevice, or to a VirtualSwitch as a port. An IPv6 address of the kernel's is usable about a
 * second later, when nobody has said that it is taken (RFC 4862 §5.4).
 * @throws as openTun
 */
export function openTap(options: TapOptions = {}): TunDevice {
  const opened = openTunDescriptor({ name: 'tunstack-tap%d', ...options, offload: false }, 'tap')
  return new TunDevice({ ...opened, mtu: opened.mtu + FRAME_OVERHEAD_BYTES })
}
