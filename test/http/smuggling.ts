// Requests that two readers may take differently: a list by rule, for chains of proxies in memory and on real links.
// Owns: what is sent. Does not own: who reads it, and who is right (proxy-smuggling.test.ts, interop/http-chains.test.ts).
// Read first: RFC 9112 §11.2 (request smuggling), §6.3 (message body length), §7.1 (chunks).

/** Fields that mean something to one reader and something else, or nothing, to another. */
export const TRICKS: readonly string[] = [
  '',
  'Content-Length: 5',
  'Content-Length: 0',
  'Content-Length: +5',
  'Content-Length: -1',
  'Content-Length: 5, 5',
  'Content-Length: 5, 6',
  'Content-Length: 5\r\nContent-Length: 5',
  'Content-Length: 5\r\nContent-Length: 6',
  'Content-Length: 0x5',
  'Content-Length: 5 5',
  'Content-Length: 05',
  'Content-Length: 5.0',
  'Content-Length: ',
  'Content-Length : 5',
  'Content-Length\t: 5',
  ' Content-Length: 5',
  'X: y\r\n Content-Length: 5',
  'X: y\r\n\tTransfer-Encoding: chunked',
  'Content-Length: 5\r\n 0',
  'Content-Length:\x0b5',
  'Content-Length: 5\x00',
  'Content_Length: 5',
  'Content-Length: 99999999999999999999',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: Chunked',
  'Transfer-Encoding:\tchunked',
  'Transfer-Encoding : chunked',
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding: chunked, identity',
  'Transfer-Encoding: identity, chunked',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: chunked, chunked',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: x',
  'Transfer-Encoding: x\r\nTransfer-Encoding: chunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding: ',
  'Transfer-Encoding: ,chunked,',
  'Transfer-Encoding: "chunked"',
  'Transfer-Encoding: chunked;q=1',
  'Transfer-Encoding: \x0bchunked',
  'Transfer-Encoding: chunked\x00',
  'Transfer-Encoding\x00: chunked',
  'Transfer-Encoding:\r\n chunked',
  'transfer_encoding: chunked',
  'Transfer-Encoding: chunked\r\nContent-Length: 5',
  'Content-Length: 5\r\nTransfer-Encoding: chunked',
  'Content-Length: 0\r\nTransfer-Encoding: chunked',
  'Content-Length: 5\r\nTransfer-Encoding: x',
  'Content-Length: 5\nTransfer-Encoding: chunked',
  'X: y\nContent-Length: 5',
  'X: y\rContent-Length: 5',
  'X: y\r\r\nContent-Length: 5',
  'X: \x00\r\nContent-Length: 5',
  'Connection: Content-Length\r\nContent-Length: 5',
  'Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked',
  'Connection: Host',
  'Connection: close, Via, X-Forwarded-For\r\nContent-Length: 5',
  'Keep-Alive: 5\r\nProxy-Connection: Content-Length\r\nContent-Length: 5',
  'Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: x',
  'Expect: 100-continue\r\nContent-Length: 5',
  'Expect: 200-ok\r\nContent-Length: 5',
  'Host: evil',
  'Host: o, evil',
  'Host : o',
  'host: o',
  'Host: o:80:80',
  'Host: o@evil',
  'X-Forwarded-Host: evil',
  'TE: chunked\r\nConnection: TE\r\nContent-Length: 5',
  'Trailer: Content-Length\r\nTransfer-Encoding: chunked',
  'Content-Encoding: chunked\r\nContent-Length: 5',
  ': 5',
  'Content-Length',
  '"Content-Length": 5',
  '(Content-Length): 5',
  'TRANSFER-ENCODING: CHUNKED',
  'Transfer-Encoding:chunked',
  'Transfer-Encoding: chunked\t',
  'Transfer-Encoding: chunked ',
  'Transfer-Encoding: chunked,',
  'Transfer-Encoding: chunked;',
  'Transfer-Encoding: chunk',
  'Transfer-Encoding: chun\x00ked',
  'Transfer-Encoding: chunked\xa0',
  'Transfer-Encoding: cow',
  'Transfer-Encoding: cow, chunked',
  'Transfer-Encoding: chunked, cow',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity',
  'Transfer-Encoding: identity\r\nTransfer-Encoding: chunked',
  'Transfer-Encoding: chunked\n',
  'Transfer-Encoding\r\n: chunked',
  'Transfer-\r\n Encoding: chunked',
  'Transfer Encoding: chunked',
  '\xefTransfer-Encoding: chunked',
  'X: y\r\n\rTransfer-Encoding: chunked',
  'X: y\x00\r\nTransfer-Encoding: chunked',
  'X: y\x0b\r\nTransfer-Encoding: chunked',
  'X: y\r\nTransfer-Encoding\x0b: chunked',
  'Content-Length: 5\r\nTransfer-Encoding: identity',
  'Content-Length: 5\r\nTransfer-Encoding : chunked',
  'Content-Length: 5\r\n Transfer-Encoding: chunked',
  'Content-Length: 5\r\nTransfer-Encoding: chunked, identity',
  'content-length: 5',
  'CONTENT-LENGTH: 5',
  'Content-Length:5',
  'Content-Length: 5\t',
  'Content-Length: \t5',
  'Content-Length: 5,',
  'Content-Length: ,5',
  'Content-Length: 5;a',
  'Content-Length: "5"',
  'Content-Length: 5e0',
  'Content-Length: 5_0',
  'Content-Length: \xd9\xa5',
  'Content-Length: 00000000000000000000005',
  'Content-Length: 4294967301',
  'Content-Length: 18446744073709551621',
  'Content-Length: 5\r\ncontent-length: 6',
  'Content-Length: 0\r\nContent-Length: 5',
  'Content-Length: 5\r\nX: y\r\nContent-Length: 5',
  'Content-Length\r\n: 5',
  'Content-Length: 5\r\n\t6',
  'Content-\x00Length: 5',
  'Content Length: 5',
  'Content-Length:: 5',
  'Connection: close\r\nContent-Length: 5',
  'Connection: close, Content-Length, Transfer-Encoding\r\nTransfer-Encoding: chunked',
  'Connection: Content-Length\r\nConnection: Host, Transfer-Encoding\r\nContent-Length: 5',
  'Connection: "Transfer-Encoding"\r\nTransfer-Encoding: chunked',
  'Connection: Expect\r\nExpect: 100-continue\r\nContent-Length: 5',
  'Connection: Trailer, TE, Via',
  'Connection: \x00',
  'Connection: keep-alive, close',
  'Upgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 5',
  'Upgrade: websocket\r\nConnection: Upgrade\r\nTransfer-Encoding: chunked',
  'Upgrade: h2c, TLS/1.0\r\nConnection: Upgrade',
  'Expect: 100-continue\r\nTransfer-Encoding: chunked',
  'Expect: 100-continue, x\r\nContent-Length: 5',
  'Host:',
  'Host: o\r\nHost: o',
  'Host: o\tevil',
  'Host: o/evil',
  'Host: [::1]',
  'Host: o\x00',
  'Host\x00: o',
  'X-HTTP-Method-Override: CONNECT',
  'Max-Forwards: 0',
  'Trailer: Transfer-Encoding\r\nTransfer-Encoding: chunked',
  'X',
  '\x00',
  'X: \rContent-Length: 5',
  'X:\r\r\nContent-Length: 5',
]

/** Chunk headers: the hidden request stands in the chunk, or behind it, as one takes them. */
const CHUNKED: readonly string[] = [
  'SIZE ;a=b\r\n',
  'SIZE;\r\n',
  'SIZE;a=\r\n',
  'SIZE;a="\r\n"\r\n',
  'SIZE;a="b\r\n',
  'SIZE;\x00\r\n',
  'SIZE;a\rb\r\n',
  'SIZE;a\nb\r\n',
  'SIZE \r\n',
  'SIZE\t\r\n',
  'SIZE\r\r\n',
  'SIZE\n',
  'SIZE\r',
  '+SIZE\r\n',
  'SIZE,0\r\n',
  'SIZE_0\r\n',
  'SIZEg\r\n',
  '1000000000000000SIZE\r\n',
  '10000000000SIZE\r\n',
  '\r\nSIZE\r\n',
  '0;\r\nSIZE\r\n',
]

/** Last chunks and trailers. */
const LAST: readonly string[] = [
  '0\n\n',
  '0\r\n\n',
  '0\r\n\r\r\n',
  '00\r\n\r\n',
  '0;a=b\r\n\r\n',
  '0 \r\n\r\n',
  '-0\r\n\r\n',
  '0x0\r\n\r\n',
  '0\r\nTransfer-Encoding: chunked\r\n\r\n',
  '0\r\nX : y\r\n\r\n',
  '0\r\n X: y\r\n\r\n',
  '0\r\nX: y\n\r\n',
  '0\r\nGET / HTTP/1.1\r\n\r\n',
  '0\r\n\x00\r\n\r\n',
]

/** What follows the head; the second request stands where one reader sees a body and another does not. */
const bodies = (id: string, base: string): readonly string[] => {
  const hidden = `GET ${base}/hidden-${id} HTTP/1.1\r\nHost: o\r\n\r\n`
  const chunk = (size: string, text = hidden): string => `${size}\r\n${text}\r\n0\r\n\r\n`
  const hex = hidden.length.toString(16)
  return [
    'abcde',
    hidden,
    `0\r\n\r\n${hidden}`,
    chunk(hex),
    chunk(`${hex};a="b"`),
    chunk(`${hex};a\n`),
    chunk(` ${hex}`),
    chunk(`0x${hex}`),
    chunk(`00000000000000000${hex}`),
    `5\r\nabcdeXX0\r\n\r\n${hidden}`,
    `5\nabcde\n0\n\n${hidden}`,
    `5\r\nabcde\r\n0\r\nContent-Length: 9\r\n\r\n${hidden}`,
    `5\r\nabcde\r\n0\r\nHost: evil\r\nX: y\r\n\r\n${hidden}`,
    `-1\r\n\r\n${hidden}`,
    ...CHUNKED.map((head) => `${head.replace('SIZE', hex)}${hidden}\r\n0\r\n\r\n`),
    ...LAST.map((last) => `5\r\nabcde\r\n${last}${hidden}`),
  ]
}

const LINES: readonly ((to: string) => string)[] = [
  (to) => `POST ${to} HTTP/1.1`,
  (to) => `GET ${to} HTTP/1.1`,
  (to) => `POST ${to} HTTP/1.0`,
  (to) => `POST ${to} HTTP/1.10`,
  (to) => `POST ${to}  HTTP/1.1`,
  (to) => `POST ${to} http/1.1`,
  (to) => `POST ${to} HTTP/2.0`,
  (to) => `POST ${to}`,
  (to) => `POST ${to} HTTP/1.1 HTTP/1.1`,
  (to) => ` POST ${to} HTTP/1.1`,
  (to) => `\r\nPOST ${to} HTTP/1.1`,
  (to) => `POST\t${to} HTTP/1.1`,
  (to) => `POST ${to.replace('//o', '//o@evil')} HTTP/1.1`,
  (to) => `POST ${to.replace('//o', '//evil\\@o')} HTTP/1.1`,
  (to) => `POST ${to}#x HTTP/1.1`,
  (to) => `POST ${to}\x0bHTTP/1.1`,
  (to) => `HEAD ${to} HTTP/1.1`,
  (to) => `TRACE ${to} HTTP/1.1`,
  (to) => `OPTIONS ${to} HTTP/1.1`,
  (to) => `CONNECT ${to} HTTP/1.1`,
  (to) => `POST ${to} HTTP/1.1 `,
  (to) => `POST ${to} HTTP/1.1\r`,
  (to) => `POST ${to} HTTP/01.1`,
  (to) => `POST ${to} HTTP/1.1\x00`,
  (to) => `POST ${to}\r\nX: HTTP/1.1`,
  (to) => `post ${to} HTTP/1.1`,
  (to) => `P\x00ST ${to} HTTP/1.1`,
  (to) => `POST ${to}%00 HTTP/1.1`,
  (to) => `POST ${to}\x00 HTTP/1.1`,
  (to) => `POST ${to}\xe9 HTTP/1.1`,
  (to) => `\n\nPOST ${to} HTTP/1.1`,
  (to) => `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nPOST ${to} HTTP/1.1`,
]

/** One attempt. */
export interface Attempt {
  /** Part of the path of each of its requests. */
  readonly id: string
  readonly text: string
}

/**
 * Every trick with many bodies behind a plain line, every body behind plain chunks, and every line with some tricks.
 * @param base what stands before a path: `http://o` for forward proxies, nothing for servers
 * @param prefix of every id
 */
export function attempts(base = 'http://o', prefix = ''): Attempt[] {
  const all: Attempt[] = []
  const count = bodies('', base).length
  const add = (line: (to: string) => string, trick: string, body: number): void => {
    const id = `${prefix}n${all.length}-`
    const host = /^host/i.test(trick) && all.length % 2 === 0 ? '' : 'Host: o\r\n'
    const fields = trick === '' ? '' : `${trick}\r\n`
    const after = `GET ${base}/after-${id} HTTP/1.1\r\nHost: o\r\n\r\n`
    all.push({ id, text: `${line(`${base}/${id}`)}\r\n${host}${fields}\r\n${bodies(id, base)[body]}${after}` })
  }
  const chunked = TRICKS.indexOf('Transfer-Encoding: chunked')
  for (let body = 0; body < count; body++) add(LINES[0], TRICKS[chunked], body)
  TRICKS.forEach((trick, i) => {
    for (let body = i % 3; body < PLAIN_BODIES; body += 3) add(LINES[(i + body) % 4 === 0 ? 1 : 0], trick, body)
  })
  for (const line of LINES)
    for (const [i, trick] of TRICKS.entries()) if (i % 24 === 1 || i === chunked) add(line, trick, i % 4)
  return all
}

/** Bodies before those of CHUNKED and LAST. */
const PLAIN_BODIES = 14
