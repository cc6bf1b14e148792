import { describe, expect, test } from 'vitest'
import { BIN, interfaces, run, start, tunstack } from './cli-helpers.ts'

describe('ping', () => {
  test.each(['10.77.0.1', 'fd77::1'])('%s answers, in the words of iputils', async (address) => {
    const { code, stdout, stderr } = await tunstack('ping', '-c', '3', '-i', '0.05', address)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^PING /)
    expect(
      stdout.match(new RegExp(`^64 bytes from ${address}: icmp_seq=[123] ttl=64 time=[0-9.]+ ms$`, 'gm')),
    ).toHaveLength(3)
    expect(stdout).toMatch(
      /\n3 packets transmitted, 3 received, 0% packet loss, time \d+ms\nrtt min\/avg\/max\/mdev = /,
    )
  })

  test('an address that does not answer gives 1', async () => {
    const { code, stdout } = await tunstack('ping', '-c', '2', '-i', '0.05', '-W', '0.2', '10.77.0.99')
    expect(code).toBe(1)
    expect(stdout).toContain('2 packets transmitted, 0 received, 100% packet loss')
  })

  test('the delay of the link is in the times, and its loss is counted', async () => {
    const { stdout } = await tunstack(
      'ping',
      '-c',
      '3',
      '-i',
      '0.01',
      '10.77.0.1',
      '--delay',
      '20ms',
      '--json',
      '--seed',
      '1',
    )
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, number>)
    expect(lines).toHaveLength(4)
    for (const { rttUs } of lines.slice(0, 3)) expect(rttUs).toBeGreaterThanOrEqual(40_000)
    const lossy = await tunstack(
      'ping',
      '-c',
      '50',
      '-i',
      '0.005',
      '-W',
      '0.2',
      '10.77.0.1',
      '--loss',
      '30%',
      '--seed',
      '1',
      '--quiet',
    )
    expect(lossy.stdout).toMatch(/50 packets transmitted, [23]\d received/)
  })

  test('large requests up to the MTU pass', async () => {
    const { code, stdout } = await tunstack('ping', '-c', '1', '-s', '1472', '10.77.0.1')
    expect(code).toBe(0)
    expect(stdout).toContain('1480 bytes from 10.77.0.1')
  })

  test('Ctrl-C prints the summary so far, and no interface stays', async () => {
    const pinging = start('ping', '-i', '0.05', '10.77.0.1')
    await pinging.until(/icmp_seq=3/)
    const { code, stdout } = await pinging.end('SIGINT')
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /--- 10\.77\.0\.1 ping statistics ---\n\d+ packets transmitted, \d+ received, 0% packet loss/,
    )
    expect(await interfaces()).not.toContain('tunstack0')
  })

  test('SIGTERM gives 143 with the summary', async () => {
    const pinging = start('ping', '-i', '0.05', '10.77.0.1')
    await pinging.until(/icmp_seq=2/)
    const { code, stdout } = await pinging.end('SIGTERM')
    expect(code).toBe(143)
    expect(stdout).toContain('ping statistics')
  })

  test.each(['10.77.0.1', 'fd77::1'])(
    'a request beyond the MTU goes in fragments, and so does its answer: %s',
    async (to) => {
      const { code, stdout, stderr } = await tunstack('ping', '-c', '1', '-s', '5000', to, '--delay', '1ms')
      expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('') })
      expect(stdout).toContain('5008 bytes from ')
    },
  )

  test('names and nonsense are usage errors', async () => {
    expect(await tunstack('ping', 'localhost')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('give an address'),
    })
    expect((await tunstack('ping', '-c', '0', '10.77.0.1')).code).toBe(2)
    expect((await tunstack('ping', '-s', '99999', '10.77.0.1')).code).toBe(2)
  })

  test('other addresses and another name on request', async () => {
    const own = [
      '--tun',
      'clitest1',
      '--address',
      '192.168.77.9/24',
      '--peer',
      '192.168.77.8',
      '--mtu',
      '576',
      '--txqueuelen',
      '77',
    ]
    const pinging = start('ping', '-i', '0.05', '192.168.77.8', ...own)
    await pinging.until(/icmp_seq=1 /)
    const { stdout } = await run('ip', ['-j', 'addr', 'show', 'clitest1'])
    const [link] = JSON.parse(stdout) as {
      mtu: number
      txqlen: number
      addr_info: { local: string; prefixlen: number }[]
    }[]
    expect(link).toMatchObject({ mtu: 576, txqlen: 77 })
    expect(link.addr_info.filter(({ local }) => local.includes('.'))).toMatchObject([
      { local: '192.168.77.8', prefixlen: 24 },
    ])
    await pinging.end('SIGKILL')
  })
})

describe('the program', () => {
  test('tells its version, its commands, and what was meant', async () => {
    expect(await tunstack('--version')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
    expect(await tunstack('--help')).toMatchObject({ code: 0, stdout: expect.stringContaining('Examples:') })
    expect((await tunstack()).code).toBe(2)
    const { code, stderr } = await tunstack('srve')
    expect(code).toBe(2)
    expect(stderr).toContain("; did you mean 'serve'?")
    expect((await tunstack('serve', '.', '--prot', '80')).stderr).toContain("; did you mean '--port'?")
    for (const command of ['serve', 'fetch', 'ping', 'demo']) {
      expect((await tunstack(command, '--help')).stdout).toContain('Usage: tunstack ' + command)
    }
  })

  test('without the privilege it says how to get it, with status 77', async () => {
    const drop = ['--bounding-set', '-net_admin', '--inh-caps', '-net_admin', '--ambient-caps', '-net_admin']
    const { code, stderr } = await run('setpriv', [...drop, process.execPath, BIN, 'ping', '-c', '1', '10.77.0.1'])
    expect(code, stderr).toBe(77)
    expect(stderr).toMatch(/^tunstack: no TUN device: /)
    expect(stderr).toMatch(/sudo.*unshare -Urn/)
  })

  test("in a user namespace of one's own it needs no privileges outside", async () => {
    const { code, stdout, stderr } = await run('unshare', [
      '-Urn',
      process.execPath,
      BIN,
      'ping',
      '-c',
      '1',
      '10.77.0.1',
    ])
    expect(code, stderr).toBe(0)
    expect(stdout).toContain('1 received')
  })
})
