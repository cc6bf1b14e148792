import { createRequire } from 'node:module'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HttpServer } from '../../src/http/index.ts'
import { fromTuntap2 } from '../../src/link/index.ts'
import { createHost, type Host } from '../../src/net/index.ts'
import { bytes, curl, MIB, sha256 } from './helpers.ts'

// The npm package tuntap2, or the maintained fork installed under its name in the folder that TUNSTACK_TUNTAP2 names:
//   npm i tuntap2@npm:@xiaobaidadada/node-tuntap2-wintun@3.0.2
const place = process.env['TUNSTACK_TUNTAP2']
const body = bytes(5 * MIB, 21)
let host: Host

beforeAll(() => {
  if (place === undefined)
    throw new Error('set TUNSTACK_TUNTAP2 to a folder in which tuntap2 is installed; .ci/run does')
  const { LinuxTun, Tun } = createRequire(join(place, 'package.json'))('tuntap2')
  const tun = new (LinuxTun ?? Tun)()
  tun.mtu = 1500
  tun.ipv4 = '10.79.0.1/24'
  tun.isUp = true
  host = createHost({ device: fromTuntap2(tun), address: '10.79.0.2/24' })
  const http = new HttpServer({ scheduler: host.scheduler, handler: () => ({ status: 200, body }) })
  host.createServer({ allowHalfOpen: true }, (socket) => http.handleConnection(socket)).listen(80)
})
afterAll(async () => {
  await host?.close()
})

describe("tuntap2's Duplex as the device", () => {
  test("carries curl's fetch byte for byte", async () => {
    const got = await curl('http://10.79.0.2/')
    expect(got.code).toBe(0)
    expect(sha256(got.stdout)).toBe(sha256(body))
  })
})
