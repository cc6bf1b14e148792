// The window as Linux reckons it; what it comes to in practice is compared with the kernel by scripts (test/packetdrill/linux).

import { expect } from 'vitest'
import { established, scenario } from './script.ts'

scenario('a buffer smaller than any packet opens again once it is read (RFC 9293 §3.8.6)', () => {
  for (const receiveBufferBytes of [1, 2, 100]) {
    const c = established({ tcp: { windowGrowth: 'linux', receiveBufferBytes, delayedAckUs: 0 } })
    for (let at = 1, round = 0; round < 3; round++, at += receiveBufferBytes) {
      c.in(`P. ${at}:${at + receiveBufferBytes} ack 1`).drain()
      expect(c.connection.readableBytes, `round ${round} of ${receiveBufferBytes}`).toBe(receiveBufferBytes)
      c.reads(receiveBufferBytes).drain()
      c.in(`. ${at + receiveBufferBytes - 1} ack 1`).drain() // a probe of the window
      expect(c.connection.info().tcpi_rcv_wnd).toBeGreaterThan(0)
    }
  }
})
