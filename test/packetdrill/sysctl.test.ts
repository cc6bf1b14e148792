import { describe, expect, test } from 'vitest'
import { applySysctl, linuxHost, retriesTimeoutUs, synTimeoutUs } from '../../src/packetdrill/sysctl.ts'
import { KNOBS, tcpConfig } from '../../src/tcp/config.ts'
import { Desk } from './desk.ts'

const after = (name: string, value: string) => {
  const host = linuxHost()
  expect(applySysctl(host, name, value)).toBeNull()
  tcpConfig(host.tcp) // within the bounds of our settings
  return host
}

describe('sysctl', () => {
  test.each([
    ['net.ipv4.tcp_ecn', '1', { ecn: 'on' }],
    ['net.ipv4.tcp_ecn', '0', { ecn: 'off' }],
    ['net/ipv4/tcp_sack', '0', { sack: false }],
    ['net.ipv4.tcp_keepalive_time', '60', { keepAliveIdleUs: 60_000_000 }],
    ['net.ipv4.tcp_rto_min_us', '5000', { minRtoUs: 5000 }],
    ['net.ipv4.tcp_recovery', '0', { rack: false }],
    ['net.ipv4.tcp_early_retrans', '0', { tailLossProbe: false }],
    ['net.ipv4.tcp_mtu_probing', '2', { pathMtuProbing: true, pathMtuBlackHole: true }],
    ['net.ipv4.tcp_rmem', '"4096 87380 4194304"', { receiveBufferBytes: 43690, receiveBufferMaxBytes: 4194304 }],
    ['net.ipv4.tcp_congestion_control', 'reno', { congestion: 'reno' }],
    ['net.inet.tcp.rfc1323', '0', { windowScale: false, timestamps: false }],
    ['net.inet.tcp.sack.enable', '0', { sack: false }],
    ['net.inet.tcp.ecn.enable', '2', { ecn: 'passive' }],
    ['net.inet.tcp.delacktime', '100', { delayedAck: 'fixed', delayedAckUs: 100_000 }],
  ])('%s = %s means %o here', (name, value, settings) => {
    expect(after(name, value).tcp).toMatchObject(settings)
  })

  test('what has no effect here is accepted, what nobody knows is reported', () => {
    const host = linuxHost()
    for (const name of ['net.ipv4.tcp_autocorking', 'net.core.default_qdisc', 'net.inet.tcp.hostcache.purgenow']) {
      expect(applySysctl(host, name, '1')).toBeNull()
    }
    expect(applySysctl(host, 'net.ipv4.tcp_nonsense', '1')).toMatch(/tcp_nonsense is not known/)
    expect(applySysctl(host, 'net.ipv4.tcp_sack', 'yes')).toMatch(/takes a number, not 'yes'/)
    expect(applySysctl(host, 'net.ipv4.tcp_rmem', '1 2')).toMatch(/three whole numbers/)
    expect(applySysctl(host, 'net.ipv4.tcp_congestion_control', 'vegas')).toMatch(/not 'vegas'/)
    expect(host).toEqual(linuxHost())
  })

  test('retries are told as time: 131 s for six SYNs again, 924.6 s for fifteen segments again', () => {
    expect([synTimeoutUs(6), synTimeoutUs(6, 0)]).toEqual([131_000_000, 127_000_000])
    expect(retriesTimeoutUs(15)).toBe(924_600_000)
  })

  test('every default of a host is a setting of ours', () => {
    for (const name of Object.keys(linuxHost().tcp)) expect(Object.keys(KNOBS)).toContain(name)
  })

  test('holds for the sockets that come after it', () => {
    const desk = new Desk({ sysctl: { 'net.ipv4.tcp_window_scaling': 0, 'net.ipv4.tcp_timestamps': 0 } })
    desk.listening()
    desk.in('S 0 win 32792 <mss 1000,sackOK,TS val 1 ecr 0,wscale 7>')
    desk.out('S. 0 ack 1 win 64240 <mss 1460,sackOK>')
  })
})
