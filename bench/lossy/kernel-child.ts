// The parent's side of kernel-end.ts: starting it in its namespace, orders, answers.
// Owns: the child process. Does not own: what it does (kernel-end.ts).

import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Answer, Order } from './kernel-end.ts'

type OrderOf<Op extends Order['op']> = Omit<Extract<Order, { op: Op }>, 'id'>

/** A child that holds the kernel's end of transfers, in the namespace that it was started in. */
export class KernelChild {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  #nextId = 1
  #isOver = false

  /** @param wrapper a command that runs the child: none, or `unshare --net` */
  constructor(wrapper: readonly string[]) {
    const script = fileURLToPath(new URL('kernel-end.ts', import.meta.url))
    const [command, ...args] = [...wrapper, process.execPath, ...process.execArgv, script]
    this.#child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.#child.on('message', (answer: Answer) => this.#waiting.get(answer.id)?.(answer))
    this.#child.on('error', (error) => this.#end(error.message))
    this.#child.on('exit', (code, signal) => this.#end(`the kernel's end ended with ${code ?? signal}`))
  }

  /** Its process, and so its namespace. */
  get pid(): number {
    return this.#child.pid ?? -1
  }

  /** Gives an order; `told` gets every answer to it. Returns how to end what it began. */
  order(order: OrderOf<'setup'> | OrderOf<'receive'> | OrderOf<'send'>, told: (answer: Answer) => void): () => void {
    const id = this.#nextId++
    if (this.#isOver) {
      told({ id, event: 'failed', reason: "the kernel's end has ended" })
      return () => undefined
    }
    this.#waiting.set(id, told)
    this.#child.send({ ...order, id })
    return () => {
      this.#waiting.delete(id)
      if (this.#child.connected) this.#child.send({ op: 'stop', id } satisfies Order)
    }
  }

  /** Runs commands in its namespace and sets it up. */
  setUp(commands: readonly (readonly string[])[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.order({ op: 'setup', commands }, ({ event, reason }) => {
        if (event === 'failed') reject(new Error(reason))
        else resolve()
      })
    })
  }

  /** It ends by itself once nobody listens. */
  close(): void {
    if (this.#child.connected) this.#child.disconnect()
  }

  #end(reason: string): void {
    this.#isOver = true
    for (const waiting of [...this.#waiting.values()]) waiting({ id: 0, event: 'failed', reason })
  }
}
