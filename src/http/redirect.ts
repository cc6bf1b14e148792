// Redirects: where an answer sends us, and what of the request goes along.
// Owns: the rules of each status, what is dropped on the way to another origin. Does not own: following (client.ts), asking the user.
// Read first: RFC 9110 §15.4 (redirection), §10.2.2 (Location), §11.6.2 (credentials).
import { type ProtocolError, remoteError } from './errors.ts'
import type { HeaderList } from './headers.ts'

/** What a redirect asks for. */
export interface RedirectStep {
  readonly url: URL
  readonly method: string
  /** Whether the body goes along. */
  readonly keepsBody: boolean
  /** Whether the next server is another one, which must not be told what was for the first. */
  readonly crossesOrigin: boolean
}

const STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/** Fields about a body that does not go along (RFC 9110 §15.4). */
const BODY_FIELDS =
  'content-encoding content-language content-length content-location content-type expect transfer-encoding'
/** Fields that are for one origin. */
const ORIGIN_FIELDS = 'authorization cookie host proxy-authorization'

/**
 * The step that an answer asks for; null when it asks for none.
 * @param from the URL that was asked
 * @throws {ProtocolError} remote, for more than one Location, or one that is no http or https URL
 */
export function redirectStep(status: number, headers: HeaderList, from: URL, method: string): RedirectStep | null {
  const lines = headers.getAll('location')
  // RFC 9110 §15.4: without Location it is an answer like any other.
  if (!STATUSES.has(status) || lines.length === 0) return null
  if (new Set(lines).size > 1) throw refused('more than one Location')
  let url: URL
  try {
    url = new URL(lines[0], from)
  } catch {
    throw refused(`Location: ${lines[0]}`)
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw refused(`Location: ${lines[0]} is not http or https`)
  // RFC 9110 §10.2.2: a fragment is inherited.
  if (url.hash === '') url.hash = from.hash
  // RFC 9110 §15.4.2, §15.4.3: POST becomes GET, as every client does it. §15.4.4: 303 makes everything but HEAD a GET.
  const becomesGet = status === 303 ? method !== 'GET' && method !== 'HEAD' : status < 303 && method === 'POST'
  const crossesOrigin = url.protocol !== from.protocol || url.host !== from.host
  return { url, method: becomesGet ? 'GET' : method, keepsBody: !becomesGet, crossesOrigin }
}

/** The fields of a request as they go along with a redirect; the given list stays as it is. */
export function redirectedHeaders(headers: HeaderList, step: RedirectStep): HeaderList {
  const next = headers.clone()
  if (!step.keepsBody) for (const name of BODY_FIELDS.split(' ')) next.delete(name)
  if (step.crossesOrigin) for (const name of ORIGIN_FIELDS.split(' ')) next.delete(name)
  return next
}

function refused(text: string): ProtocolError {
  return remoteError(502, 'bad-target', `a redirect that cannot be followed: ${text}`)
}
