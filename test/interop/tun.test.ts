// The TUN driver against Linux itself. Runs as root in a network namespace of its own: `unshare -n`.

import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { get16, get32, put16, put32 } from '../../src/base/bytes.ts'
import { completeChecksum, foldedSum, verifyTransportChecksum } from '../../src/link/checksum-offload.ts'
import { HEADROOM, NO_OFFLOAD, Packet, type PacketDevice } from '../../src/link/device.ts'
import { bringUpLoopback } from '../../src/link/index.ts'
import { isTunUsable, openTun, removeTun, type TunDevice, type TunOptions } from '../../src/link/tun.ts'
import { BIN } from './cli-helpers.ts'

const run = promisify(execFile)
const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8', stdio: 'pipe' })
const interfaces = (): string[] => (JSON.parse(ip('-j', 'link')) as { ifname: string }[]).map((link) => link.ifname)

const opened: TunDevice[] = []
const open = (options: TunOptions): TunDevice => {
  const device = openTun(options)
  opened.push(device)
  return device
}

afterEach(() => {
  for (const device of opened.splice(0)) device.close()
})

/** The error that `action` throws. */
function errorOf(action: () => unknown): Error & { code?: string } {
  try {
    action()
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was thrown')
}

/** Answers every echo request, IPv4 and IPv6. */
function answerEchoes(device: PacketDevice): void {
  const reply = new Packet()
  const swap = (from: Packet, at: number, bytes: number): void => {
    reply.bytes.set(from.bytes.subarray(from.start + at, from.start + at + bytes), HEADROOM + at + bytes)
    reply.bytes.set(from.bytes.subarray(from.start + at + bytes, from.start + at + 2 * bytes), HEADROOM + at)
  }
  device.onReadable(() => {
    device.receive((packet) => {
      const { bytes, start } = packet
      const v4 = bytes[start] >>> 4 === 4
      const icmp = start + (v4 ? 20 : 40)
      if (bytes[v4 ? start + 9 : start + 6] !== (v4 ? 1 : 58) || bytes[icmp] !== (v4 ? 8 : 128)) return
      reply.copyFrom(packet)
      swap(packet, v4 ? 12 : 8, v4 ? 4 : 16)
      const at = HEADROOM + icmp - start
      reply.bytes[at] = v4 ? 0 : 129
      const sum = get16(bytes, icmp + 2) + (v4 ? 0x0800 : -0x0100)
      put16(reply.bytes, at + 2, sum < 0 ? sum - 1 : (sum & 0xffff) + (sum >>> 16))
      device.send(reply)
    }, 64)
    device.flush()
  })
}

beforeAll(() => {
  const links = interfaces()
  expect(links, 'run this in a fresh network namespace: unshare -n').toEqual(['lo'])
})

describe('opening and closing', () => {
  test('configures the kernel end as asked, and leaves nothing behind', () => {
    const addresses = ['10.77.0.1/24', '10.78.0.1/16', 'fd77::1/64']
    const device = open({ name: 'tst0', addresses, mtu: 1400, txQueueLength: 321 })
    expect([device.name, device.mtu, device.addresses]).toEqual(['tst0', 1400, addresses])
    const [link] = JSON.parse(ip('-j', 'addr', 'show', 'dev', 'tst0'))
    expect(link).toMatchObject({ mtu: 1400, txqlen: 321 })
    expect(link.flags).toContain('UP')
    const found = link.addr_info.filter((info: { scope: string }) => info.scope === 'global')
    expect(found.map((info: { local: string; prefixlen: number }) => `${info.local}/${info.prefixlen}`)).toEqual(
      addresses,
    )
    expect(found.every((info: { tentative?: boolean }) => info.tentative !== true)).toBe(true)
    device.close()
    device.close()
    expect(interfaces()).toEqual(['lo'])
    expect(device.receive(() => {}, 1)).toBe(0)
  })

  test('picks a free name, and defaults as documented', () => {
    const first = open({})
    const second = open({})
    expect([first.name, second.name]).toEqual(['tunstack0', 'tunstack1'])
    expect(JSON.parse(ip('-j', 'link', 'show', 'dev', 'tunstack0'))[0]).toMatchObject({ mtu: 1500, txqlen: 4096 })
    expect(first.offload).toEqual({ checksum: true, superSegmentBytes: 65535, superDatagramBytes: 65535, gather: true })
    expect(open({ offload: false }).offload).toBe(NO_OFFLOAD)
    expect(open({ up: false, mtu: 65535 }).mtu).toBe(65535)
  })

  test('says whether a TUN device can be had, and leaves nothing', () => {
    expect(isTunUsable()).toEqual({ ok: true })
    expect(interfaces()).toEqual(['lo'])
  })

  test('works in a user namespace, as the errors advise', async () => {
    const module = fileURLToPath(new URL('../../src/link/tun.ts', import.meta.url))
    const options = `{ name: 'tst0', addresses: ['10.77.0.1/24', 'fd77::1/64'], mtu: 1400, txQueueLength: 777 }`
    const script = `import('${module}').then(({ openTun }) => {
      openTun(${options})
      console.log(require('node:child_process').execSync('ip -j addr show dev tst0').toString())
    })`
    const { stdout } = await run('unshare', ['-Urn', process.execPath, '--import', 'tsx', '-e', script])
    expect(JSON.parse(stdout)[0]).toMatchObject({ mtu: 1400, txqlen: 777 })
  })

  test('brings the loopback interface up', () => {
    bringUpLoopback()
    bringUpLoopback()
    expect(JSON.parse(ip('-j', 'link', 'show', 'dev', 'lo'))[0].flags).toContain('UP')
  })

  test('leaves no interface when the process is killed', async () => {
    const module = fileURLToPath(new URL('../../src/link/tun.ts', import.meta.url))
    const script = `import('${module}').then(({ openTun }) => {
      openTun({ name: 'killme', addresses: ['10.79.0.1/24'] }).onReadable(() => {})
      console.log('open')
    })`
    const child = spawn(process.execPath, ['--import', 'tsx', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(child.stdout, 'data')
    expect(interfaces()).toContain('killme')
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(interfaces()).not.toContain('killme')
  })

  test.each([
    ['ends right after opening a host', ''],
    ['throws', `process.on('uncaughtException', () => { process.exitCode = 0 }); throw new Error('x')`],
    ['exits in the same turn', 'process.exit(0)'],
  ])('a program that %s ends in order, though packets wait', async (_, end) => {
    // The compiled program: a loader for TypeScript keeps the event loop busy, which hides the fault.
    const module = new URL('../dist/index.js', pathToFileURL(BIN))
    const script = `import { createHost, openTun } from '${module}'
      createHost({ device: openTun({ name: 'tst0', addresses: ['10.77.0.1/24'] }), address: '10.77.0.2/24' })
      ${end}`
    for (let i = 0; i < 3; i++) {
      const { stderr } = await run(process.execPath, ['--input-type=module', '-e', script]) // rejects when it is aborted
      expect(stderr).toBe('')
    }
    expect(interfaces()).not.toContain('tst0')
  })

  test('a worker that ends gives the interface back', async () => {
    const module = fileURLToPath(new URL('../../src/link/tun.ts', import.meta.url))
    const script = `const { Worker } = require('node:worker_threads')
      const inside = \`import('tsx/esm/api')
        .then(({ register }) => register() && import('${module}'))
        .then(({ openTun }) => console.log(openTun({ name: 'tst0', addresses: ['10.77.0.1/24'] }).name))\`
      new Worker(inside, { eval: true }).on('exit', () => {
        console.log(require('node:child_process').execSync('ip -br link').toString())
      })`
    const { stdout } = await run(process.execPath, ['--import', 'tsx', '-e', script])
    expect(stdout).toMatch(/^tst0\n/) // it was open
    expect(stdout.slice(5)).not.toContain('tst0')
  })

  test('devices leave no listener on the process behind', () => {
    const before = process.listenerCount('exit')
    for (let i = 0; i < 20; i++) open({})
    expect(process.listenerCount('exit')).toBe(before + 1)
    for (const device of opened.splice(0)) device.close()
    expect(process.listenerCount('exit')).toBe(before)
  })

  test('does not pass its descriptor on to child processes', () => {
    const device = open({ name: 'tst0' })
    const links = execFileSync('sh', ['-c', 'ls -l /proc/self/fd'], { encoding: 'utf8' })
    expect(links).not.toContain('/dev/net/tun')
    expect(device.fd).toBeGreaterThan(2)
  })

  test('is told when the interface is removed from outside', async () => {
    const device = open({ name: 'tst0' })
    device.onReadable(() => device.receive(() => {}, 10))
    const closed = new Promise<(Error & { code?: string }) | null>((resolve) => device.onClose(resolve))
    ip('link', 'del', 'tst0')
    const error = await closed
    expect(error?.code).toBe('EBADFD')
    expect(error?.message).toContain('tst0 was removed')
    expect(device.fd).toBe(-1)
  })
})

describe('persistent interfaces', () => {
  test('outlive the device, can be opened again and removed', () => {
    open({ name: 'keep0', addresses: ['10.77.0.1/24'], mtu: 1300, persistent: true }).close()
    expect(interfaces()).toEqual(['lo', 'keep0'])
    const again = open({ name: 'keep0', addresses: ['10.77.0.1/24'], offload: false })
    expect(again.mtu).toBe(1300)
    again.close()
    expect(interfaces()).toEqual(['lo', 'keep0'])
    removeTun('keep0')
    removeTun('keep0')
    expect(interfaces()).toEqual(['lo'])
  })

  test('vanish when opened with persistent: false', () => {
    open({ name: 'keep0', persistent: true }).close()
    open({ name: 'keep0', persistent: false }).close()
    expect(interfaces()).toEqual(['lo'])
  })

  test('are not taken over silently when they have other addresses', () => {
    ip('tuntap', 'add', 'dev', 'other0', 'mode', 'tun')
    ip('addr', 'add', '10.99.0.1/24', 'dev', 'other0')
    const error = errorOf(() => open({ name: 'other0', addresses: ['10.77.0.1/24'] }))
    expect(error.code).toBe('EEXIST')
    expect(error.message).toMatch(/other0 exists already and has other addresses: choose another name, ask for its/)
    open({ name: 'other0', addresses: ['10.77.0.1/24'], persistent: true }).close()
    expect(ip('addr', 'show', 'dev', 'other0')).toContain('10.77.0.1/24')
    removeTun('other0')
  })

  test('prepared by an administrator with the right addresses are used as they are', () => {
    ip('tuntap', 'add', 'dev', 'mine0', 'mode', 'tun')
    ip('addr', 'add', '10.99.0.1/24', 'dev', 'mine0')
    ip('link', 'set', 'mine0', 'mtu', '1450', 'up')
    expect(open({ name: 'mine0', addresses: ['10.99.0.1/24'] }).mtu).toBe(1450)
    opened.pop()?.close()
    expect(interfaces()).toContain('mine0')
    removeTun('mine0')
  })
})

describe('errors name the mend and leave nothing', () => {
  afterEach(() => {
    expect(interfaces()).toEqual(['lo'])
  })

  test('of options', () => {
    expect(errorOf(() => open({ name: 'sixteen-letters!' })).message).toMatch(
      /is no interface name: 1 to 15 characters/,
    )
    for (const name of ['', 'a b', 'a/b', 'a:1', '.', 'a%s', '%d%d']) expect(() => open({ name })).toThrow(TypeError)
    for (const address of ['10.77.0.1/33', '10.77.0.256/24', 'fd77::1/129', 'tun0', '10.77.0.1/24/1', '']) {
      expect(() => open({ addresses: [address] })).toThrow(TypeError)
    }
    expect(errorOf(() => open({ addresses: ['10.77.0/24'] })).message).toContain(
      "'10.77.0/24' is not an IPv4 or IPv6 address",
    )
    expect(() => open({ mtu: 67 })).toThrow(RangeError)
    expect(() => open({ mtu: 65536 })).toThrow(RangeError)
    expect(errorOf(() => open({ mtu: 1279, addresses: ['fd77::1/64'] })).message).toMatch(/needs 1280 \(RFC 8200 §5\)/)
    expect(() => open({ txQueueLength: 0 })).toThrow(RangeError)
  })

  test('of a name that is taken', () => {
    open({ name: 'tst0' })
    const busy = errorOf(() => open({ name: 'tst0' }))
    expect([busy.code, busy.message]).toEqual([
      'EBUSY',
      'ioctl EBUSY: interface tst0 exists already and is busy: choose another name, and another network',
    ])
    opened.pop()?.close()
    const notTun = errorOf(() => open({ name: 'lo', persistent: true }))
    expect([notTun.code, notTun.message]).toEqual([
      'EINVAL',
      'ioctl EINVAL: interface lo exists already and is no TUN device: choose another name',
    ])
  })

  test('of a network that another interface has', () => {
    open({ name: 'tst0', addresses: ['10.77.0.1/24', 'fd77::1/64'] })
    const taken = errorOf(() => open({ name: 'tst1', addresses: ['10.77.0.9/24'] }))
    expect([taken.code, taken.message]).toEqual([
      'EADDRINUSE',
      'open EADDRINUSE: another interface, tst0, has 10.77.0.0/24 already: choose another network, as 10.78.0.0/24',
    ])
    for (const address of ['10.77.0.1/32', '10.0.0.1/8', 'fd77::9/64']) {
      expect(errorOf(() => open({ addresses: [address] }))).toMatchObject({ code: 'EADDRINUSE' })
    }
    expect(errorOf(() => open({ addresses: ['10.79.0.1/24', 'fd77::9/64'] }))).toMatchObject({
      freeNetwork: 'fd78::/64',
    })
    ip('link', 'set', 'tst0', 'down') // without routes it is in nobody's way
    open({ name: 'tst1', addresses: ['10.77.0.9/24'] })
    open({ addresses: ['10.78.0.1/24', 'fd78::1/64'] })
    for (const device of opened.splice(0)) device.close()
  })

  test('of an address that the kernel refuses, after the interface was made', () => {
    const error = errorOf(() => open({ name: 'tst0', addresses: ['10.77.0.1/24', 'ff02::1/64'] }))
    expect(error.message).toMatch(/^ioctl E[A-Z]+: the address ff02::1\/64 was refused for tst0/)
  })

  test('of a process without the privilege', async () => {
    const module = fileURLToPath(new URL('../../src/link/tun.ts', import.meta.url))
    const script = `import('${module}').then(({ isTunUsable }) => console.log(isTunUsable().reason))`
    const node = [process.execPath, '--import', 'tsx', '-e', script]
    const { stdout } = await run('setpriv', ['--bounding-set', '-net_admin', '--inh-caps', '-net_admin', ...node])
    expect(stdout).toMatch(/^ioctl EPERM: interface tunstack%d needs CAP_NET_ADMIN: run with sudo, or .*unshare -Urn/)
  })
})

describe('packets', () => {
  test.each([true, false])('the kernel pings through it, offload %o', async (offload) => {
    const device = open({ name: 'tst0', addresses: ['10.77.0.1/24', 'fd77::1/64'], offload })
    answerEchoes(device)
    const four = await run('ping', ['-c', '200', '-i', '0.002', '-s', '1400', '-q', '10.77.0.2'])
    expect(four.stdout).toContain('200 received')
    const six = await run('ping', ['-c', '200', '-i', '0.002', '-s', '1400', '-q', 'fd77::2'])
    expect(six.stdout).toContain('200 received')
    expect(device.counters.rxPackets).toBeGreaterThanOrEqual(400)
    expect(device.counters).toMatchObject({ txPackets: 400, txDropped: 0, rxDropped: 0 })
  })

  test('events go on after the garbage collector has run', async () => {
    const device = open({ name: 'tst0', addresses: ['10.77.0.1/24'] })
    answerEchoes(device)
    let garbage: unknown[] = []
    const timer = setInterval(() => {
      garbage = Array.from({ length: 50_000 }, (_, i) => ({ i }))
    }, 5)
    const { stdout } = await run('ping', ['-c', '600', '-i', '0.002', '-q', '10.77.0.2'])
    clearInterval(timer)
    expect(garbage.length).toBeGreaterThan(0)
    expect(stdout).toContain('600 received')
  })

  test('stops and resumes with its listener, and packets wait meanwhile', async () => {
    const device = open({ name: 'tst0', addresses: ['10.77.0.1/24'] })
    answerEchoes(device)
    device.onReadable(null)
    await expect(run('ping', ['-c', '1', '-W', '1', '10.77.0.2'])).rejects.toThrow()
    let got = 0
    await new Promise<void>((resolve) => {
      device.onReadable(() => {
        device.receive(() => got++, 100)
        resolve()
      })
    })
    expect(got).toBeGreaterThan(0)
  })

  test('counts what it cannot send, and does not throw', () => {
    const device = open({ name: 'tst0', mtu: 1000 })
    const packet = new Packet()
    packet.end = packet.start + 1001
    packet.bytes[packet.start] = 0x45
    expect(device.send(packet)).toBe(false) // above the MTU
    packet.end = packet.start + 100
    expect(device.send(packet)).toBe(true)
    ip('link', 'set', 'tst0', 'down')
    expect(device.send(packet)).toBe(false) // EIO
    device.close()
    expect(device.send(packet)).toBe(false)
    expect(device.counters).toMatchObject({ txPackets: 1, txDropped: 3 })
  })

  test('a packet outside its buffer is a broken invariant, never another process memory', () => {
    const device = open({ name: 'tst0' })
    const packet = new Packet(new Uint8Array(100))
    packet.end = 101
    expect(() => device.send(packet)).toThrow(/lies in its buffer/)
    packet.start = 5
    packet.end = 50
    expect(() => device.send(packet)).toThrow(/HEADROOM/)
  })
})

/** Just enough TCP at the far end to take a stream, or to send one, without any loss handling. */
class TinyTcp {
  readonly received: Packet[] = []
  bytes = 0
  bad = 0
  readonly #device: PacketDevice
  readonly #v4: boolean
  readonly #port: number
  readonly #out = new Packet()
  #next = 0
  #request: Packet | null = null

  constructor(device: PacketDevice, family: 4 | 6, port: number) {
    this.#device = device
    this.#port = port
    this.#v4 = family === 4
    device.onReadable(() => {
      device.receive((packet) => this.#take(packet), 64)
      device.flush()
    })
  }

  get #ip(): number {
    return this.#v4 ? 20 : 40
  }

  #take(packet: Packet): void {
    const { bytes, start, end } = packet
    if (bytes[start] >>> 4 !== (this.#v4 ? 4 : 6) || bytes[start + (this.#v4 ? 9 : 6)] !== 6) return
    const tcp = start + this.#ip
    if (get16(bytes, tcp + 2) !== this.#port) return // what the kernel still repeats for an earlier test
    const flags = bytes[tcp + 13]
    const length = end - tcp - (bytes[tcp + 12] >>> 4) * 4
    if (length > 0 && this.received.length < 1000) this.received.push(packet.clone())
    if (length > 0) {
      const copy = packet.clone()
      completeChecksum(copy)
      if (!verifyTransportChecksum(copy, this.#ip)) this.bad++
    }
    this.#request = this.#request ?? packet.clone()
    this.#next = (get32(bytes, tcp + 4) + length + ((flags & 3) !== 0 ? 1 : 0)) | 0
    this.bytes += length
    if ((flags & 2) !== 0) this.send(1000, 0x12, new Uint8Array(0))
    else if (length > 0 || (flags & 1) !== 0) this.send(1001, 0x10, new Uint8Array(0))
  }

  send(sequence: number, flags: number, payload: Uint8Array, segmentBytes = 0): boolean {
    const from = this.#request!
    const out = this.#out
    const ipBytes = this.#ip
    const tcp = HEADROOM + ipBytes
    const { bytes } = out
    out.end = tcp + 20 + payload.length
    bytes.fill(0, HEADROOM, tcp + 20)
    const [sources, size] = this.#v4 ? [12, 4] : [8, 16]
    bytes.set(from.bytes.subarray(from.start + sources + size, from.start + sources + 2 * size), HEADROOM + sources)
    bytes.set(from.bytes.subarray(from.start + sources, from.start + sources + size), HEADROOM + sources + size)
    if (this.#v4) {
      bytes.set([0x45, 0], HEADROOM)
      put16(bytes, HEADROOM + 2, out.length)
      bytes.set([0x40, 0, 64, 6], HEADROOM + 6)
      put16(bytes, HEADROOM + 10, ~foldedSum(bytes, HEADROOM, tcp) & 0xffff)
    } else {
      bytes.set([0x60, 0, 0, 0, 0, 0, 6, 64], HEADROOM)
      put16(bytes, HEADROOM + 4, 20 + payload.length)
    }
    const request = from.start + ipBytes
    put16(bytes, tcp, get16(from.bytes, request + 2))
    put16(bytes, tcp + 2, get16(from.bytes, request))
    put32(bytes, tcp + 4, sequence)
    put32(bytes, tcp + 8, this.#next)
    bytes.set([0x50, flags, 0xff, 0xff], tcp + 12)
    bytes.set(payload, tcp + 20)
    const addresses = foldedSum(bytes, HEADROOM + sources, HEADROOM + sources + 2 * size)
    const pseudo = addresses + 6 + 20 + payload.length
    put16(bytes, tcp + 16, (pseudo & 0xffff) + (pseudo >>> 16))
    out.checksum = 'partial'
    out.transportOffset = ipBytes
    out.payloadOffset = ipBytes + 20
    out.segmentBytes = segmentBytes
    if (!this.#device.offload.checksum) completeChecksum(out)
    return this.#device.send(out)
  }
}

describe('offload', () => {
  const sides = [
    [4, '10.77.0.2'],
    [6, 'fd77::2'],
  ] as const

  test.each(sides)('super-segments come in from a kernel sender, marked and true, IPv%d', async (family, host) => {
    const device = open({ name: 'tst0', addresses: ['10.77.0.1/24', 'fd77::1/64'] })
    const tcp = new TinyTcp(device, family, 5001)
    const socket = createConnection({ host, port: 5001 })
    await once(socket, 'connect')
    const total = 4 << 20
    socket.end(Buffer.alloc(total, 'tunstack'))
    await once(socket, 'finish')
    for (let i = 0; i < 500 && tcp.bytes < total; i++) await new Promise((resolve) => setTimeout(resolve, 10))
    socket.destroy()
    expect(tcp.bytes).toBeGreaterThanOrEqual(total)
    expect(tcp.bad).toBe(0)
    const large = tcp.received.filter((packet) => packet.segmentBytes > 0)
    expect(Math.max(...large.map((packet) => packet.length))).toBeGreaterThan(20_000)
    for (const packet of large) {
      expect([packet.checksum, packet.transportOffset]).toEqual(['partial', family === 4 ? 20 : 40])
      const payload = packet.start + packet.payloadOffset
      expect(packet.bytes[payload]).toBe(packet.bytes[payload + 8]) // 'tunstack' has eight letters
    }
  })

  test('without offload the same sender gives packets of the MTU with finished checksums', async () => {
    const device = open({ name: 'tst0', addresses: ['10.77.0.1/24'], offload: false })
    const tcp = new TinyTcp(device, 4, 5003)
    const socket = createConnection({ host: '10.77.0.2', port: 5003 })
    await once(socket, 'connect')
    socket.end(Buffer.alloc(1 << 20))
    for (let i = 0; i < 500 && tcp.bytes < 1 << 20; i++) await new Promise((resolve) => setTimeout(resolve, 10))
    socket.destroy()
    expect(tcp.bad).toBe(0)
    expect(tcp.received.every((packet) => packet.checksum === 'complete' && packet.length <= 1500)).toBe(true)
  })

  test.each(sides)('the kernel takes a super-segment of the largest size, IPv%d', async (family, host) => {
    const device = open({ name: 'tst0', addresses: ['10.77.0.1/24', 'fd77::1/64'] })
    const tcp = new TinyTcp(device, family, 5002)
    const socket = createConnection({ host, port: 5002 })
    await once(socket, 'connect')
    const header = family === 4 ? 40 : 60
    const payload = Uint8Array.from({ length: device.offload.superSegmentBytes - header }, (_, i) => (i * 31) & 255)
    const chunks: Buffer[] = []
    let length = 0
    const got = new Promise<void>((resolve) => {
      socket.on('data', (chunk) => {
        chunks.push(chunk)
        length += chunk.length
        if (length === payload.length) resolve()
      })
    })
    expect(tcp.send(1001, 0x18, payload, 1500 - header)).toBe(true)
    await got
    expect(Buffer.concat(chunks).equals(payload)).toBe(true)
    socket.destroy()
  })
})
