// The client side of the bulk measurements, on sockets of the kernel: one connection, as fast as it goes, for a given time.
//   client.ts ADDRESS send|receive SECONDS       prints the rate in Mbit/s

import net from 'node:net'

const [address, way, seconds] = process.argv.slice(2)
const CHUNK = Buffer.alloc(256 * 1024, 'tunstack ')
const socket = net.connect(way === 'send' ? 5001 : 5002, address)
let bytes = 0

socket.on('error', (error) => {
  process.stderr.write(`${error.message}\n`)
  process.exit(1)
})
socket.on('connect', () => {
  const sent = (): number => socket.bytesWritten - socket.writableLength
  const pump = (): void => {
    while (socket.write(CHUNK)) {
      // until the socket says that it is full
    }
  }
  if (way === 'send') socket.on('drain', pump)
  socket.on('data', (chunk) => (bytes += chunk.length))
  if (way === 'send') pump()
  // A third of a second to get going, then the measurement.
  setTimeout(() => {
    const startBytes = way === 'send' ? sent() : bytes
    const start = performance.now()
    setTimeout(() => {
      const moved = (way === 'send' ? sent() : bytes) - startBytes
      process.stdout.write(`${((moved * 8) / 1000 / (performance.now() - start)).toFixed(1)}\n`)
      process.exit(0)
    }, Number(seconds) * 1000)
  }, 333)
})
