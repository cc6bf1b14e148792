// The same scenarios on node:net's sockets over the kernel's loopback and on ours in virtual time: same events, orders and errors.

import net from 'node:net'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { type TwoHosts, twoHosts } from './helpers.ts'
import { Recorder, type World } from './recorder.ts'
import { DATA_SCENARIOS } from './scenarios-data.ts'
import { END_SCENARIOS } from './scenarios-end.ts'
import { OPEN_SCENARIOS } from './scenarios-open.ts'
import { SERVER_SCENARIOS } from './scenarios-server.ts'

const kernel: World = {
  host: '127.0.0.1',
  createServer: (options = {}) => net.createServer(options),
  socket: (options) => new net.Socket(options),
  connect: (options, connected?: () => void) => net.connect(options, connected),
  // Turns of the event loop count, not time: in between, the kernel delivers at once.
  settle: async () => {
    for (let i = 0; i < 6; i++) {
      await sleep(4)
      await turn()
    }
  },
}

function ours({ time, a, b }: TwoHosts): World {
  return {
    host: '10.9.0.2',
    createServer: (options) => b.createServer(options) as unknown as net.Server,
    socket: (options) => a.socket(options) as unknown as net.Socket,
    connect: (options, connected?: () => void) => {
      const { localAddress } = options
      const local = localAddress === '10.9.0.2' ? '10.9.0.1' : localAddress
      return a.createConnection({ ...options, localAddress: local }, connected) as unknown as net.Socket
    },
    settle: () => time.wait(2_000),
  }
}

const scenarios = [...OPEN_SCENARIOS, ...DATA_SCENARIOS, ...END_SCENARIOS, ...SERVER_SCENARIOS]

describe('sockets behave as those of node:net', () => {
  for (const { name, run } of scenarios) {
    test(name, async () => {
      const expected = new Recorder(kernel.host)
      await run(kernel, expected)
      const hosts = twoHosts()
      const world = ours(hosts)
      const record = new Recorder(world.host)
      await hosts.time.drive(run(world, record))
      expect(record.toJSON()).toEqual(expected.toJSON())
    })
  }
})
