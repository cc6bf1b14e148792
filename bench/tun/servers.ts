// The server side of the bulk measurements: port 5001 takes and throws away, port 5002 sends for ever. Once on sockets of the kernel, once
// on sockets of this stack over a TUN device; the same code above both, so that the ratio tells of TCP and device alone.
//   servers.ts kernel | stack        prints 'ready' and runs until its standard input ends

import net from 'node:net'
import type { Duplex } from 'node:stream'
import { openTun } from '../../src/link/index.ts'
import { createHost } from '../../src/net/index.ts'

const CHUNK = Buffer.alloc(256 * 1024, 'tunstack ')

function take(socket: Duplex): void {
  socket.on('error', () => socket.destroy()).resume()
}

function give(socket: Duplex): void {
  const pump = (): void => {
    while (!socket.destroyed && socket.write(CHUNK)) {
      // until the socket says that it is full
    }
  }
  socket.on('drain', pump).on('error', () => socket.destroy())
  socket.resume()
  pump()
}

async function start(kind: string): Promise<void> {
  if (kind === 'kernel') {
    net.createServer(take).listen(5001, '127.0.0.1')
    net.createServer(give).listen(5002, '127.0.0.1')
  } else {
    const offload = kind !== 'stack-plain'
    const device = openTun({ name: 'tunbench', addresses: ['10.78.0.1/24'], offload })
    const host = createHost({ device, address: '10.78.0.2/24' })
    host.createServer(take).listen(5001)
    host.createServer(give).listen(5002)
  }
  process.stdin.on('end', () => process.exit(0)).resume()
  process.stdout.write('ready\n')
}

await start(process.argv[2])
