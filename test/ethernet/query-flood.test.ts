// Queries and advertisements that come by the thousand: what they make a host send and keep is bounded.

import { expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { MILLISECOND, SECOND } from '../../src/base/time.ts'
import { MldListener } from '../../src/ethernet/mld.ts'
import { ip } from '../ip/helpers.ts'
import { router, scene } from './nd-helpers.ts'

test.each(['ff02::fb', '239.1.2.3'])(
  'queries for %s that leave no time get ten answers a second (RFC 3810 §6.2)',
  (group) => {
    const listener = new MldListener(new SeededRandom(1))
    listener.join(ip(group), 0)
    for (let now = 0; now < 10 * SECOND; now += SECOND) listener.pollReport(now) // those of joining
    let answers = 0
    for (let now = 20 * SECOND; now < 21 * SECOND; now += MILLISECOND) {
      listener.handleQuery({ responseUs: 0, group: null }, now)
      if (listener.pollReport(now) !== null) answers++
    }
    expect(answers).toBe(10)
    expect(listener.nextDeadline()).toBe(21 * SECOND)
    expect(listener.pollReport(21 * SECOND)?.groups.map(String)).toEqual([group])
    expect(listener.nextDeadline()).toBe(Number.POSITIVE_INFINITY)
  },
)

test('advertisements with many prefixes each fill no more places than those with one (RFC 6104)', () => {
  const { lan, station, peer, drops } = scene({ slaac: true }, [])
  const prefixes = Array.from({ length: 12 }, (_, i) => ({ prefix: ip(`2001:db8:${(i + 1).toString(16)}::`) }))
  const others = prefixes.map(({ prefix }, i) => ({ prefix: ip(`${prefix}`.replace('2001', `${3000 + i}`)) }))
  peer.send(router({}, prefixes), router({}, others))
  lan.run(5)
  expect(station.host.addresses.length).toBe(17)
  expect(drops.get('nd-too-many')).toBe(1) // messages
})
