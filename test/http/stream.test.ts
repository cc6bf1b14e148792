// The structural interface is satisfied by what it was cut from; the check is the compiler's.
import type { Socket } from 'node:net'
import { type Duplex, PassThrough } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { describe, expect, it } from 'vitest'
import type { ByteStream } from '../../src/http/stream.ts'

describe('ByteStream', () => {
  it('is what a Duplex, a net.Socket and a TLSSocket are', () => {
    const takes = (stream: ByteStream): boolean => stream.destroyed
    const compiles = (socket: Socket, tls: TLSSocket, duplex: Duplex): boolean[] => [socket, tls, duplex].map(takes)
    expect(compiles.length).toBe(3)
    expect(takes(new PassThrough())).toBe(false)
  })
})
