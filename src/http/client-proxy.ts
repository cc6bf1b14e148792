// Which proxy a URL goes by.
// Owns: reading a proxy's URL, the list of hosts that need none. Does not own: going through it (dial.ts, client.ts).
// Read first: RFC 9112 §3.2.2 (absolute form), RFC 7617 (Basic).
import type { ProxyServer } from './pool-options.ts'

/** Which proxy to use, and for what not. */
export interface ProxyOptions {
  /** `http://proxy:3128`, with `user:password@` before the host if it asks for them. */
  readonly url: string | URL
  /** Hosts that are asked directly: `example.com` (and all below it), `.example.com`, `10.0.0.1`, `[fd00::1]`, `host:8080`, `*`. */
  readonly noProxy?: readonly string[]
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** `Basic` credentials (RFC 7617 §2), of UTF-8. @throws {TypeError} for a user name with a colon */
export function basicAuthorization(user: string, password: string): string {
  if (user.includes(':')) throw new TypeError('a user name holds no colon')
  const bytes = new TextEncoder().encode(`${user}:${password}`)
  return `Basic ${base64(bytes)}`
}

function base64(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i += 3) {
    const [a, b = 0, c = 0] = bytes.subarray(i, i + 3)
    const word = (a << 16) | (b << 8) | c
    for (let j = 0; j < 4; j++) text += j <= bytes.length - i ? DIGITS[(word >> (18 - 6 * j)) & 63] : '='
  }
  return text
}

/**
 * Reads a proxy's URL; the port is 80 or 443 unless given.
 * @throws {TypeError} when it is none
 */
export function parseProxy(url: string | URL): ProxyServer {
  const { protocol, hostname, port, username, password } = new URL(url)
  if ((protocol !== 'http:' && protocol !== 'https:') || hostname === '') {
    throw new TypeError(`${url} is no proxy; give http://host:port`)
  }
  return {
    protocol,
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? (protocol === 'http:' ? 80 : 443) : Number(port),
    authorization:
      username === '' && password === ''
        ? null
        : basicAuthorization(decodeURIComponent(username), decodeURIComponent(password)),
  }
}

/** Whether a host is named by a list of those that need no proxy. */
export function isDirect(host: string, port: number, noProxy: readonly string[]): boolean {
  const name = plain(host)
  return noProxy.some((entry) => {
    if (entry === '*') return true
    const parts = /^(\[[^\]]*\]|[^:]*)(?::([0-9]+))?$/.exec(entry)
    const wanted = plain(parts === null ? entry : parts[1])
    if (wanted === '' || (parts?.[2] !== undefined && Number(parts[2]) !== port)) return false
    return name === wanted || (!/[:]|^[0-9.]+$/.test(name) && name.endsWith(`.${wanted}`))
  })
}

function plain(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/^\*?\./, '')
    .replace(/\.$/, '')
}
