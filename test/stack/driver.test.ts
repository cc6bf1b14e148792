// The driver: batches in, output, one timer, events after the batch (RFC 9293 §3.10.7.4 [MUST-58] [MUST-59]).

import { expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { IpAddress } from '../../src/ip/address.ts'
import type { PacketDevice } from '../../src/link/device.ts'
import { memoryPair } from '../../src/link/pair.ts'
import { VirtualTime } from '../../src/sim/virtual-time.ts'
import { BATCH_PACKETS, Driver } from '../../src/stack/driver.ts'
import { Stack } from '../../src/stack/stack.ts'
import type { Connection } from '../../src/tcp/connection.ts'
import { EVENT } from '../../src/tcp/events.ts'
import { Listener } from '../../src/tcp/listener.ts'
import { UdpSocket } from '../../src/udp/index.ts'

type Told = [source: Connection | Listener, events: number]

/** A driver at each end of a cable. */
function cable(superSegmentBytes = 0) {
  const time = new VirtualTime()
  const devices = memoryPair({ scheduler: time, superSegmentBytes })
  const told: Told[][] = [[], []]
  const onEvent: ((source: Connection | Listener, events: number) => void)[] = [() => {}, () => {}]
  const closed: (Error | null)[] = []
  const hosts = devices.map((device: PacketDevice, i) => {
    const stack = new Stack({
      addresses: [`10.0.0.${i + 1}/24`],
      mtu: 1500,
      random: new SeededRandom(i),
      offload: device.offload,
      tcp: { mslUs: 1_000_000 },
    })
    const driver = new Driver({
      stack,
      device,
      scheduler: time,
      onEvent: (source, events) => {
        if (source instanceof UdpSocket) return
        told[i].push([source, events])
        onEvent[i](source, events)
      },
      onDeviceClose: (error) => closed.push(error),
    })
    return { stack, driver, device }
  })
  return { time, hosts, told, onEvent, closed }
}

const remote = IpAddress.parse('10.0.0.2')

test('a connection opens, carries text and closes by events alone', () => {
  const { time, hosts, told, onEvent } = cable()
  const [a, b] = hosts
  const got: Buffer[] = []
  let accepted: Connection | null = null
  onEvent[1] = (source, events) => {
    if (source instanceof Listener) {
      accepted = source.accept()
      return
    }
    for (let text = source.read(); text !== null; text = source.read()) got.push(Buffer.from(text))
    if (events & EVENT.end) source.close()
  }
  b.stack.listen({ port: 80 })
  const c = a.stack.connect({ remote, remotePort: 80 }, time.now())
  c.write(Buffer.from('hello'))
  c.shutdownWrite()
  a.driver.wake()
  a.driver.wake() // twice in a turn is once
  time.runSync()
  expect(Buffer.concat(got).toString()).toBe('hello')
  expect([c.state, (accepted as Connection | null)?.state]).toEqual(['CLOSED', 'CLOSED'])
  expect(told[0].map(([source]) => source).every((source) => source === c)).toBe(true)
  const bits = told[0].reduce((all, [, events]) => all | events, 0)
  expect(bits).toBe(EVENT.connected | EVENT.end | EVENT.drained | EVENT.closed)
  expect(told[1][0]).toEqual([expect.any(Listener), EVENT.acceptable])
})

test('a batch of text is acknowledged once, after its last packet (RFC 9293 §3.10.7.4 [MUST-58] [MUST-59])', () => {
  const { time, hosts, onEvent } = cable()
  const [a, b] = hosts
  onEvent[1] = (source) => {
    if (source instanceof Listener) source.accept()
  }
  b.stack.listen({ port: 80 })
  const c = a.stack.connect({ remote, remotePort: 80 }, time.now())
  a.driver.wake()
  time.runSync({ until: 500_000 })
  const before = b.device.counters.txPackets
  c.write(new Uint8Array(10 * 1448))
  a.driver.wake()
  time.runSync({ until: 600_000 })
  expect(b.device.counters.txPackets - before).toBe(1)
})

test('more packets than a batch get their turns, and all arrive', () => {
  const { time, hosts, onEvent } = cable()
  const [a, b] = hosts
  const total = 400 * 1448
  let got = 0
  onEvent[1] = (source) => {
    if (source instanceof Listener) source.accept()
    else got += source.read()?.length ?? 0
  }
  b.stack.listen({ port: 80 })
  const config = { initialWindowSegments: 400 }
  const c = a.stack.connect({ remote, remotePort: 80, config }, time.now())
  expect(c.write(new Uint8Array(total))).toBe(total)
  a.driver.wake()
  time.runSync({ until: 1_000_000 })
  expect(a.device.counters.txPackets).toBeGreaterThan(3 * BATCH_PACKETS)
  expect(got).toBe(total)
})

test('an owner that writes from within an event has it sent, and its wake does no harm', () => {
  const { time, hosts, onEvent } = cable()
  const [a, b] = hosts
  const heard: string[] = []
  onEvent[0] = (source, events) => {
    if (events & EVENT.connected) (source as Connection).write(Buffer.from('ping'))
    a.driver.wake()
  }
  onEvent[1] = (source) => {
    if (source instanceof Listener) source.accept()
    else heard.push(Buffer.from(source.read() ?? []).toString())
  }
  b.stack.listen({ port: 80 })
  a.stack.connect({ remote, remotePort: 80 }, time.now())
  a.driver.wake()
  time.runSync({ until: 100_000 })
  expect(heard).toEqual(['ping'])
})

test('timers run: a SYN goes again, and gives up', () => {
  const { time, hosts, told } = cable()
  const [a, b] = hosts
  b.device.close()
  const config = { synTimeoutUs: 10_000_000, retransmitNoticeCount: 100 }
  const c = a.stack.connect({ remote, remotePort: 80, config }, time.now())
  a.driver.wake()
  time.runSync()
  expect(c.error?.code).toBe('ETIMEDOUT')
  expect(told[0]).toEqual([[c, EVENT.error | EVENT.closed]])
  expect([a.device.counters.txDropped, time.now()]).toEqual([4, 10_000_000])
})

/** The same device, whose listener is told of nothing while `isBusy()`. */
function deaf(device: PacketDevice, isBusy: () => boolean): PacketDevice {
  const get = (target: PacketDevice, key: keyof PacketDevice): unknown => {
    if (key === 'onReadable') {
      return (listener: (() => void) | null) => target.onReadable(listener && (() => isBusy() || listener()))
    }
    const value: unknown = Reflect.get(target, key, target)
    return typeof value === 'function' ? value.bind(target) : value
  }
  return new Proxy(device, { get: (target, key) => get(target, key as keyof PacketDevice) })
}

test('what lies in the device is handled before the timers are: whoever was busy sends nothing twice (RFC 6298 §5.4)', () => {
  const time = new VirtualTime()
  const [left, right] = memoryPair({ scheduler: time })
  let isBusy = true
  const hosts = [deaf(left, () => isBusy), right].map((device, i) => {
    const stack = new Stack({ addresses: [`10.0.0.${i + 1}/24`], mtu: 1500, random: new SeededRandom(i), tcp: {} })
    return { stack, driver: new Driver({ stack, device, scheduler: time, onEvent: () => {} }) }
  })
  const [a, b] = hosts
  b.stack.listen({ port: 80 })
  const connection = a.stack.connect({ remote, remotePort: 80 }, time.now())
  a.driver.wake()
  time.runSync({ until: 999_999 })
  expect([connection.state, b.stack.tcp.connectionCount]).toEqual(['SYN-SENT', 1]) // the answer lies there
  time.runSync({ until: 1_000_000 }) // the retransmission timeout
  expect(connection.state).toBe('ESTABLISHED')
  isBusy = false
  time.runSync({ until: 3_000_000 })
  expect(a.stack.tcp.counters.TcpRetransSegs).toBe(0)
})

test('an event raised by the last output is told in a turn of its own', () => {
  const { time, hosts, told } = cable()
  const [a] = hosts
  const c = a.stack.connect({ remote, remotePort: 80 }, time.now())
  a.driver.wake()
  time.defer(() => {
    c.abort()
    a.driver.wake()
  })
  time.runSync({ until: 100_000 })
  expect(told[0]).toEqual([[c, EVENT.closed]])
})

test('close sends what waits and then leaves the device alone; the device stays open', () => {
  const { time, hosts } = cable()
  const [a] = hosts
  a.stack.connect({ remote, remotePort: 80 }, time.now())
  a.driver.close()
  a.driver.close()
  expect(a.device.counters.txPackets).toBe(1)
  a.stack.connect({ remote, remotePort: 81 }, time.now())
  a.driver.wake()
  time.runSync()
  expect(a.device.counters.txPackets).toBe(1)
})

test('a device that goes away is told of, once, and nothing is read any more', () => {
  const { time, hosts, closed } = cable()
  const [a] = hosts
  a.driver.wake()
  a.device.close()
  expect(closed).toEqual([null])
  time.runSync()
  const second = cable()
  second.hosts[0].driver.close()
  second.hosts[0].device.close()
  expect(second.closed).toEqual([])
})

test('super-segments of the device are used', () => {
  const { time, hosts, onEvent } = cable(65535)
  const [a, b] = hosts
  let got = 0
  onEvent[1] = (source) => {
    if (source instanceof Listener) source.accept()
    else got += source.read()?.length ?? 0
  }
  b.stack.listen({ port: 80 })
  const c = a.stack.connect({ remote, remotePort: 80 }, time.now())
  c.write(new Uint8Array(500_000))
  a.driver.wake()
  time.runSync({ until: 1_000_000 })
  expect(got).toBe(500_000)
  expect(a.device.counters.txPackets).toBeLessThan(40)
})

test('what an owner answers takes the acknowledgement along: one packet goes back (RFC 9293 §3.10.7.4 [MUST-58])', () => {
  const { time, hosts, onEvent } = cable()
  const [a, b] = hosts
  onEvent[1] = (source) => {
    if (source instanceof Listener) {
      source.accept()
      return
    }
    const text = (source as Connection).read()
    if (text !== null) (source as Connection).write(text)
    else if ((source as Connection).ended) (source as Connection).close()
  }
  b.stack.listen({ port: 80 })
  const connection = a.stack.connect({ remote, remotePort: 80 }, time.now())
  a.driver.wake()
  time.runSync({ until: time.now() + 1000 })
  const before = b.device.counters.txPackets
  connection.write(Buffer.from('x'))
  a.driver.wake()
  time.runSync({ until: time.now() + 1000 })
  expect(b.device.counters.txPackets - before).toBe(1)
  connection.shutdownWrite()
  a.driver.wake()
  time.runSync({ until: time.now() + 1000 })
  expect(b.device.counters.txPackets - before).toBe(2) // FIN goes with the acknowledgement of the peer's
})

test('an owner who takes long does not hold up the acknowledgements of the others', () => {
  const time = new VirtualTime()
  let late = 0
  const scheduler = {
    now: () => time.now() + late,
    schedule: (at: number, task: () => void) => time.schedule(at - late, task),
    defer: (task: () => void) => time.defer(task),
  }
  const [left, right] = memoryPair({ scheduler: time })
  const stacks = [1, 2].map((i) => new Stack({ addresses: [`10.0.0.${i}/24`], mtu: 1500, random: new SeededRandom(i) }))
  const sent: number[] = []
  const client = new Driver({ stack: stacks[0], device: left, scheduler, onEvent: () => {} })
  new Driver({
    stack: stacks[1],
    device: right,
    scheduler,
    onEvent: (source) => {
      if (source instanceof Listener) {
        while (source.accept() !== null);
        return
      }
      if ((source as Connection).read() !== null) {
        sent.push(right.counters.txPackets)
        late += 2000
      }
    },
  })
  stacks[1].listen({ port: 80 })
  const connections = [1, 2].map(() => stacks[0].connect({ remote, remotePort: 80 }, 0))
  client.wake()
  time.runSync({ until: 1000 })
  const before = right.counters.txPackets
  for (const connection of connections) connection.write(Buffer.from('x'))
  client.wake()
  time.runSync({ until: 2000 })
  expect(sent).toEqual([before, before + 2])
})
