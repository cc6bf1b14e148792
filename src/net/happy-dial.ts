// Opening a connection to a name with Happy Eyeballs: attempts of `host.connect`, each to one address.
// Owns: attempts and their ends. Does not own: which and when (src/dns/happy-eyeballs.ts), names (dns.ts). Read first: RFC 8305.

import type { ScheduledTask } from '../base/time.ts'
import { HappyEyeballs } from '../dns/index.ts'
import type { HostResolver } from './dns.ts'
import type { DnsHost } from './dns-host.ts'
import type { DialOptions } from './options.ts'
import type { TunSocket } from './socket.ts'
import { abortError, connectError, lookupError } from './socket-errors.ts'

/** What dialling needs of a host. */
export type DialHost = Pick<DnsHost, 'scheduler' | 'stack' | 'connect'>

/** What it needs of a resolver. */
export type Finder = Pick<HostResolver, 'find'>

/**
 * Opens a connection to `options.host`, a name. Rejects with the only error there was, or with an AggregateError of all that has the code
 * of the last, as Node's; with ETIMEDOUT after `timeoutMs`; with an AbortError.
 */
export function happyDial(host: DialHost, resolver: Finder, options: DialOptions): Promise<TunSocket> {
  const { signal, timeoutMs, host: name = 'localhost', ...rest } = options
  const { scheduler } = host
  const machine = machineOf(host)
  const attempts = new Map<number, AbortController>()
  const open = new Map<number, TunSocket>()
  let timer: ScheduledTask | null = null
  return new Promise<TunSocket>((resolve, reject) => {
    const give = (error: Error | null, socket?: TunSocket): void => {
      timer?.cancel()
      late?.cancel()
      signal?.removeEventListener('abort', abort)
      if (error !== null) reject(error)
      else resolve(socket as TunSocket)
    }
    const start = (attempt: number, address: string): void => {
      const control = new AbortController()
      attempts.set(attempt, control)
      host.connect({ ...rest, host: address, signal: control.signal }).then(
        (socket) => {
          if (machine.isOver) {
            socket.destroy()
            return
          }
          open.set(attempt, socket)
          machine.handleConnected(attempt)
          settle()
        },
        (error: Error) => {
          machine.handleFailed(attempt, error, scheduler.now())
          settle()
        },
      )
    }
    const settle = (): void => {
      for (let action = machine.pollAction(); action !== null; action = machine.pollAction()) {
        if (action.kind === 'connect') start(action.attempt, action.address.toString())
        else if (action.kind === 'cancel') attempts.get(action.attempt)?.abort()
        else if (action.kind === 'done') give(null, open.get(action.attempt))
        else give(joined(action.errors))
      }
      timer?.cancel()
      const deadline = machine.nextDeadline()
      const wake = (): void => {
        machine.handleTimeout(scheduler.now())
        settle()
      }
      timer = deadline === Number.POSITIVE_INFINITY ? null : scheduler.schedule(deadline, wake)
    }
    const stop = (error: Error): void => {
      machine.cancel()
      settle()
      give(error)
    }
    const abort = (): void => stop(abortError(signal as AbortSignal))
    const late =
      timeoutMs === undefined
        ? null
        : scheduler.schedule(scheduler.now() + timeoutMs * 1000, () =>
            stop(connectError('ETIMEDOUT', { address: name, port: Number(rest.port) })),
          )
    signal?.addEventListener('abort', abort, { once: true })
    for (const family of [6, 4] as const) {
      void resolver.find(name, family).then(({ addresses, code }) => {
        machine.handleAddresses(family, addresses, code === null ? null : lookupError(code, name), scheduler.now())
        settle()
      })
    }
  })
}

function machineOf({ stack: { ip } }: Pick<DialHost, 'stack'>): HappyEyeballs {
  return new HappyEyeballs({ sourceOf: (to) => ip.sourceFor(to), isDeprecated: (own) => ip.isDeprecated(own) })
}

// Errors of connections say more than a family that does not resolve.
function joined(errors: readonly Error[]): Error {
  const dialled = errors.filter((error) => (error as { syscall?: string }).syscall !== 'getaddrinfo')
  if (dialled.length === 1) return dialled[0]
  if (dialled.length > 1) {
    const { code } = dialled[dialled.length - 1] as Error & { code?: string }
    return Object.assign(new AggregateError(dialled, dialled.map(({ message }) => message).join('; ')), { code })
  }
  return errors.find((error) => (error as { code?: string }).code !== 'ENOTFOUND') ?? errors[0]
}
