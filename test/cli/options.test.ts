import { Command, CommanderError } from 'commander'
import { describe, expect, test } from 'vitest'
import { formatCidr } from '../../src/cli/addresses.ts'
import { CliError } from '../../src/cli/errors.ts'
import { addHostOptions, type HostSettings, hostSettings } from '../../src/cli/options.ts'
import { parseTcpSetting, settingsHelp } from '../../src/cli/read-options.ts'
import { DEFAULT_CONFIG, KNOBS } from '../../src/tcp/config.ts'

function settings(...args: string[]): HostSettings {
  const command = addHostOptions(new Command('x')).exitOverride()
  command.configureOutput({ writeErr: () => undefined })
  command.parse(args, { from: 'user' })
  return hostSettings(command.opts())
}

function refusal(...args: string[]): string {
  try {
    settings(...args)
  } catch (error) {
    if (error instanceof CommanderError) return error.message
    if (error instanceof CliError) {
      expect(error.exitCode).toBe(2)
      return `${error.message}; ${error.mend}`
    }
    throw error
  }
  throw new Error('was not refused')
}

describe('addresses', () => {
  test('by default both families, and the first other address of each network is the kernel', () => {
    const { addresses, peers, tun, mtu, offload } = settings()
    expect(addresses.map(formatCidr)).toEqual(['10.77.0.2/24', 'fd77::2/64'])
    expect(peers.map(formatCidr)).toEqual(['10.77.0.1/24', 'fd77::1/64'])
    expect({ tun, mtu, offload }).toEqual({ tun: 'tunstack0', mtu: 1500, offload: true })
  })

  test.each([
    [['10.1.2.1/24'], ['10.1.2.2/24']],
    [['10.1.2.200/25'], ['10.1.2.129/25']],
    [['10.0.0.1/8'], ['10.0.0.2/8']],
    [['10.0.0.0/31'], ['10.0.0.1/31']],
    [['10.0.0.1/31'], ['10.0.0.0/31']],
    [['10.0.0.5/30'], ['10.0.0.6/30']],
    [['192.168.0.1/24', '192.168.0.2/24'], ['192.168.0.3/24']],
    [['fd00::1/64'], ['fd00::2/64']],
    [['fd00:0:0:1:5::9/80'], ['fd00::1:5:0:0:1/80']],
    [['fd00::/127'], ['fd00::1/127']],
    [['2001:db8:ffff:ffff:ffff:ffff:ffff:ff02/120'], ['2001:db8:ffff:ffff:ffff:ffff:ffff:ff01/120']],
  ])('of %j the peer is %j', (given, peers) => {
    const args = given.flatMap((address) => ['--address', address])
    expect(settings(...args).peers.map(formatCidr)).toEqual(peers)
  })

  test('a peer without a prefix length gets that of our network', () => {
    const { peers } = settings('--peer', '10.77.0.9', '--peer', 'fd77::9/64')
    expect(peers.map(formatCidr)).toEqual(['10.77.0.9/24', 'fd77::9/64'])
  })

  test('what cannot be is refused with the mend', () => {
    expect(refusal('--address', '10.0.0.1')).toContain('write the prefix length too, as 10.0.0.1/24')
    expect(refusal('--address', '10.0.0.1/33')).toContain('from 0 to 32')
    expect(refusal('--address', '10.0.0.256/24')).toContain('is not an IPv4 or IPv6 address')
    expect(refusal('--address', '127.0.0.1/8')).toContain('no address that a host can have')
    expect(refusal('--address', '224.0.0.1/24')).toContain('no address that a host can have')
    expect(refusal('--address', '10.0.0.0/24')).toContain('network itself')
    expect(refusal('--address', '10.0.0.255/24')).toContain('broadcast')
    expect(refusal('--address', '10.0.0.1/32')).toContain('--peer ADDRESS/LENGTH')
    expect(refusal('--address', '10.0.0.1/24', '--address', '10.0.0.1/24')).toContain('given twice')
    expect(refusal('--peer', '10.77.0.2')).toContain('our own address')
    expect(refusal('--peer', '10.78.0.1')).toContain('in none of our networks (10.77.0.2/24, fd77::2/64)')
  })

  test('a small MTU leaves the default IPv6 address out and refuses one that was asked for (RFC 8200 §5)', () => {
    expect(settings('--mtu', '576').addresses.map(formatCidr)).toEqual(['10.77.0.2/24'])
    expect(refusal('--mtu', '576', '--address', 'fd77::2/64')).toContain('raise it to 1280')
    expect(refusal('--mtu', '67')).toContain('from 68 to 65535')
  })

  test('a name that Linux would refuse is refused', () => {
    expect(settings('--tun', 'tun-0.1').tun).toBe('tun-0.1')
    for (const name of ['', 'a/b', 'a b', 'x'.repeat(16), '.', '..', 'a:1', 'tun%d']) {
      expect(refusal('--tun', name)).toContain('1 to 15 characters')
    }
  })
})

describe('a bad link', () => {
  test('is none unless asked for', () => {
    expect(settings().impairment).toBeNull()
    expect(settings('--seed', '7')).toMatchObject({ impairment: null, seed: 7 })
  })

  test('takes all units', () => {
    const all = ['--loss', '1%', '--delay', '20ms', '--jitter', '2ms', '--rate', '10mbit', '--reorder', '5%']
    const more = ['--duplicate', '1%', '--corrupt', '0.1%', '--queue', '64kb']
    expect(settings(...all, ...more).impairment).toEqual({
      lossRate: 0.01,
      delayUs: 20_000,
      jitterUs: 2_000,
      rateBps: 10_000_000,
      reorderRate: 0.05,
      duplicateRate: 0.01,
      corruptRate: 0.001,
      queueBytes: 65_536,
    })
    expect(settings('--rate', '1gbit', '--queue', '100p').impairment).toEqual({ rateBps: 1e9, queuePackets: 100 })
  })

  test('what does not go together is refused by the names of the options', () => {
    expect(refusal('--queue', '64kb')).toContain('--queue needs --rate')
    expect(refusal('--reorder', '5%')).toContain('--reorder needs --delay')
    expect(refusal('--jitter', '5ms')).toContain('--jitter needs --delay')
    expect(refusal('--rate', '1mbit', '--queue', '0')).toContain('hold something')
  })

  test('delays beyond an hour are refused', () => {
    expect(settings('--delay', '3600s').impairment).toEqual({ delayUs: 3_600_000_000 })
    expect(refusal('--delay', '3601s')).toContain('at most an hour')
    expect(refusal('--delay', '1s', '--jitter', '7200s')).toContain('at most an hour')
  })

  test('numbers without their unit are refused with an example', () => {
    expect(refusal('--loss', '1')).toContain('write a percentage from 0% to 100%, as 1%')
    expect(refusal('--delay', '20')).toContain('as 20ms')
    expect(refusal('--rate', '10mbps')).toContain('as 10mbit')
    expect(refusal('--seed', '-1')).toContain('whole number from 0')
  })
})

describe('TCP settings', () => {
  test('are read by their type, the last one counts', () => {
    const args = ['--set', 'nagle=false', '--set', 'mss=1000', '--set', 'delayedAckUs=40ms', '--set', 'mss=900']
    expect(settings(...args, '--set', 'sendBufferBytes=64kb', '--set', 'congestion=reno').tcp).toEqual({
      nagle: false,
      mss: 900,
      delayedAckUs: 40_000,
      sendBufferBytes: 65_536,
      congestion: 'reno',
    })
  })

  test('are listed with their defaults, each as it can be given', () => {
    const words = settingsHelp()
      .split(/\s+/)
      .filter((word) => word.includes('='))
    expect(words).toContain('delayedAckUs=40ms')
    expect(words).toHaveLength(Object.keys(KNOBS).length)
    expect(Object.assign({}, ...words.map(parseTcpSetting))).toEqual(DEFAULT_CONFIG)
    expect(words).toContain('sendBufferBytes=1mb')
    expect(words).toContain('lingerUs=-1')
    for (const line of settingsHelp().split('\n')) expect(line.length).toBeLessThanOrEqual(102)
  })

  test('that are one of a few words are listed with the others, and each of them is taken', () => {
    const rows = settingsHelp()
      .split('\n')
      .flatMap((line) => /^ {2}(\w+)=(\w+) +or (.*)$/.exec(line) ?? [])
    expect(rows).toContain('  ecn=passive                or off, on, accurate')
    expect(rows.some((row) => /congestion=cubic +or .*\breno\b.*\bbbr\b|\bbbr\b.*\breno\b/.test(row))).toBe(true)
    for (const [name, knob] of Object.entries(KNOBS)) {
      for (const word of (knob.oneOf ?? []) as readonly string[]) {
        expect(settings('--set', `${name}=${word}`).tcp).toEqual({ [name]: word })
      }
      if (knob.oneOf !== undefined) expect(rows).toContain(name)
    }
    expect(refusal('--set', 'ecn=maybe')).toContain("'ecn' is 'maybe'; it must be one of passive, off, on, accurate")
    expect(refusal('--set', 'ecn=')).toContain('must be one of')
    expect(refusal('--set', 'windowValidation=Keep')).toContain('decay, keep, off')
  })

  test('take Infinity for never and -1 for not at all where those mean something, and say where that is', () => {
    expect(
      settings('--set', 'userTimeoutUs=Infinity', '--set', 'lingerUs=0', '--set', 'finWait2TimeoutUs=-1').tcp,
    ).toEqual({ userTimeoutUs: Number.POSITIVE_INFINITY, lingerUs: 0, finWait2TimeoutUs: -1 })
    const [, infinite, none] = settingsHelp()
      .replaceAll('\n  ', ' ')
      .split(/may be: /)
    for (const [name, knob] of Object.entries(KNOBS)) {
      expect(infinite.split(/[^\w]+/).includes(name), name).toBe(knob.most === Number.POSITIVE_INFINITY)
      expect(none.split(/[^\w]+/).includes(name), name).toBe(knob.least === -1)
      if (knob.most === Number.POSITIVE_INFINITY)
        expect(parseTcpSetting(`${name}=Infinity`)).toEqual({ [name]: knob.most })
      if (knob.least === -1) expect(parseTcpSetting(`${name}=-1`)).toEqual({ [name]: -1 })
    }
    expect(refusal('--set', 'mss=Infinity')).toContain('must be from 48 to 65495')
    expect(refusal('--set', 'lingerUs=-2')).toContain('must be from -1 to Infinity')
    expect(refusal('--set', 'lingerUs=-Infinity')).toContain('must be from -1 to Infinity')
    expect(refusal('--set', 'quickAcks=1.5')).toContain('a whole number')
  })

  test('wrong ones are refused by the configuration itself', () => {
    expect(refusal('--set', 'nagel=false')).toContain("unknown TCP setting 'nagel'; did you mean 'nagle'?")
    expect(refusal('--set', 'colour=red')).toMatch(/unknown TCP setting 'colour'; known: mss, /)
    expect(refusal('--set', 'mss=1')).toContain("TCP setting 'mss' is 1; it must be from 48 to 65495")
    expect(refusal('--set', 'nagle=maybe')).toContain("'nagle' is true or false")
    expect(refusal('--set', 'mss=big')).toContain("'mss' is a number")
    expect(refusal('--set', 'nagle')).toContain('write name=value')
    expect(refusal('--set', 'congestion=fastest')).toContain('there are: ')
    expect(refusal('--set', '__proto__=1')).toContain('unknown TCP setting')
    expect(refusal('--set', 'constructor=1')).toContain('unknown TCP setting')
  })
})
