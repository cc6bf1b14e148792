// The words of `tunstack dig`.

import { expect, test } from 'vitest'
import { digRequest } from '../../src/cli/dig.ts'
import { TYPE } from '../../src/dns/index.ts'

test('words come in any order, as to dig', () => {
  const one = digRequest(['@10.0.0.1:5353', 'mx', '+short'].toSpliced(1, 0, 'example.com.'), false)
  expect(one).toMatchObject({
    question: { name: 'example.com', type: TYPE.MX, class: 1 },
    server: '10.0.0.1:5353',
    isShort: true,
    tcpOnly: false,
    hasEdns: true,
  })
  expect(digRequest(['+tcp', '+noedns', '+norec', '+time=2', '+tries=1', 'a'], false)).toMatchObject({
    question: { name: 'a', type: TYPE.A },
    server: null,
    tcpOnly: true,
    hasEdns: false,
    recursionDesired: false,
    timeoutMs: 2000,
    tries: 1,
  })
  expect(digRequest(['192.0.2.1'], true).question).toMatchObject({ name: '1.2.0.192.in-addr.arpa', type: TYPE.PTR })
})

test.each([
  [['a', 'NONE'], "'NONE' is no type of record"],
  [['a..b'], "'a..b' is no domain name"],
  [['a', 'A', 'b'], 'dig takes a name and at most one type'],
  [['+short'], 'dig takes a name and at most one type'],
  [['a', '@ns.example'], "'@ns.example' is no server"],
  [['a', '+what'], "dig does not know '+what'"],
  [['a', '+time=0'], '+time is from 1 to 30'],
])('%j is refused', (words, message) => {
  expect(() => digRequest(words, false)).toThrow(message)
})
