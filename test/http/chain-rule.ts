// What becomes of two requests, one behind the other, that go through a chain of proxies: said by the rules of each hop, run by nobody.
// Owns: the rules. Does not own: worlds that run them (proxy-chains.test.ts, interop/http-chains.test.ts).
// Read first: RFC 9112 §9.3 (persistence), appendix C.2.2 (keep-alive and proxies); RFC 9110 §7.6.1 (Connection), §7.6.3 (Via).

/** A hop: `s` understands the fields of one hop, `b` relays them as they are and waits for the end of the server's connection. */
export type Kind = 's' | 'b'

/** How the client asks for its connection to stay. */
export interface Talker {
  readonly version: '1.0' | '1.1'
  /** The field with `Keep-Alive`; null for none. */
  readonly field: 'Connection' | 'Proxy-Connection' | null
}

/** How long the two kinds of listeners keep an idle connection. */
export interface Idle {
  readonly server: number
  readonly smart: number
}

/** What the rules say of a chain. */
export interface Outcome {
  /** Whether the second request is answered; one that is not has ended with its connection. */
  readonly answered: boolean
  /** Time from the second request to its answer, or to the end of its connection. */
  readonly waits: number
  /** Connections opened on each link, from the client's to the server's. */
  readonly connections: readonly number[]
}

/** Every chain of `shortest` to `longest` hops. */
export function chains(shortest: number, longest: number): string[] {
  const all = ['']
  for (let i = 0; i < all.length; i++) if (all[i].length < longest) all.push(`${all[i]}s`, `${all[i]}b`)
  return all.filter((chain) => chain.length >= shortest)
}

/** Whether the two ends of a stretch without smart hops both take their connection for one that stays. */
function isKept(talker: Talker | 'smart', listener: 'smart' | 'server'): boolean {
  // Smart hops speak HTTP/1.1, whose connections stay unless somebody says close (RFC 9112 §9.3).
  if (talker === 'smart' || talker.version === '1.1') return true
  // Proxy-Connection is for proxies only: a server does not know it (RFC 9112 appendix C.2.2).
  return talker.field === 'Connection' || (talker.field === 'Proxy-Connection' && listener === 'smart')
}

/** What becomes of two GETs, the second sent when the first has been answered, at once. */
export function outcome(chain: string, talker: Talker, idle: Idle): Outcome {
  const stretches = chain.split('s').map((blinds) => blinds.length)
  const connections: number[] = []
  let waits = 0
  let answered = true
  for (const [i, blinds] of stretches.entries()) {
    const listener = i === stretches.length - 1 ? 'server' : 'smart'
    const kept = isKept(i === 0 ? talker : 'smart', listener)
    let opened = kept ? 1 : 2
    if (answered && kept && blinds > 0 && waits === 0) {
      // The second request goes into a relay that hears nothing any more, until the listener gives its connection up.
      waits = idle[listener]
      // The client is told nothing; a smart hop asks again on a connection of its own choice, as GET may be repeated (RFC 9112 §9.3.1).
      if (i === 0) answered = false
      else opened = 2
    } else if (answered && kept && waits > 0) {
      // Somebody before has waited for so long that the connection kept here is gone.
      opened = 2
    }
    connections.push(...Array.from({ length: blinds + 1 }, () => opened))
  }
  return { answered, waits, connections }
}

/** What goes over one link of the chain, from node `link` to the next; node 0 is the client. */
export interface Said {
  readonly version: '1.0' | '1.1'
  readonly form: 'absolute' | 'origin'
  /** Whether the fields of the client's hop are there: Connection, what it names, Proxy-Connection. */
  readonly hopFields: boolean
  /** The value of Via; '' for none. */
  readonly via: string
}

/** What a request looks like on a link. Hops are called n0, n1 ... */
export function requestOn(chain: string, link: number, talker: Talker): Said {
  const smart = [...chain.slice(0, link)].flatMap((kind, i) => (kind === 's' ? [`n${i}`] : []))
  return {
    version: smart.length === 0 ? talker.version : '1.1',
    // RFC 9112 §3.2.1, §3.2.2: absolute to a proxy, origin form to the server.
    form: link > 0 && link === chain.length ? 'origin' : 'absolute',
    // RFC 9110 §7.6.1: the first that understands them takes them out.
    hopFields: smart.length === 0,
    // RFC 9110 §7.6.3: the version that each has received.
    via: smart.map((name, i) => `${i === 0 ? talker.version : '1.1'} ${name}`).join(', '),
  }
}

/** The Via of the answer as the client gets it. */
export function answerVia(chain: string): string {
  return [...chain]
    .flatMap((kind, i) => (kind === 's' ? [`1.1 n${i}`] : []))
    .reverse()
    .join(', ')
}
