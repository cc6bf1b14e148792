// Our reading of requests beside that of Node's parser, strict and lenient, on streams bent by chance. `npm run http-diff` does it at length.
import { describe, expect, it } from 'vitest'
import { compareWithNode, emptyResult, searchNode } from '../http-diff/differences.ts'

describe("our parser beside Node's", () => {
  it('sees the same messages, or refuses them (RFC 9112 §11.2)', () => {
    const { messages, unknown, findings } = searchNode(7, (streams) => streams < 6000)
    expect(messages).toBeGreaterThan(4000)
    expect([...unknown].map((key) => [key, findings.get(key)?.stream])).toEqual([])
  })

  for (const [name, stream] of [
    [
      'an empty element of Transfer-Encoding',
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked,\r\n\r\n0\r\n\r\n',
    ],
    [
      'a quote in Connection',
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: "x, close\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n',
    ],
    [
      'Expect with an empty chunked body that has come',
      'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n',
    ],
  ] as const) {
    it(`${name} does not part us`, () => {
      const result = emptyResult()
      compareWithNode(stream, result)
      expect([...result.findings.keys()].filter((key) => !key.includes(' refuses '))).toEqual([])
    })
  }
})
