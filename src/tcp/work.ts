// Who has something to send, and who has something to tell: two queues in which each stands at most once, however often it is named.
// Owns: the order. Does not own: what is sent or told (layer.ts).

import { Fifo } from '../base/fifo.ts'

/** What can stand in a DirtyQueue. */
export interface Dirtyable {
  isDirty: boolean
}

/** Connections that may have something to send, in the order in which they were touched. */
export class DirtyQueue<T extends Dirtyable> {
  readonly #items = new Fifo<T>()
  readonly #waits: (item: T) => boolean
  readonly #waiting = new Fifo<T>()

  /** `waits`: what may wait until owners were told. */
  constructor(waits: (item: T) => boolean) {
    this.#waits = waits
  }

  /** Adds what is not there yet. */
  add(item: T): void {
    if (item.isDirty) return
    item.isDirty = true
    this.#items.push(item)
  }

  /** The first one, which stays; null when there is none. With `isAll` false those that may wait are passed over until it is true. */
  first(isAll: boolean): T | null {
    const items = this.#items
    if (isAll) {
      for (let item = this.#waiting.shift(); item !== null; item = this.#waiting.shift()) items.push(item)
      return items.first()
    }
    let item = items.first()
    for (; item !== null && this.#waits(item); item = items.first()) {
      this.#waiting.push(item)
      items.shift()
    }
    return item
  }

  /** Takes the first one out. */
  drop(): void {
    const item = this.#items.shift()
    if (item !== null) item.isDirty = false
  }
}

/** What can stand in an EventQueue. */
export interface Queueable {
  isQueued: boolean
}

/** Sources with events to tell, in the order in which they had the first of them. */
export class EventQueue<T extends Queueable> {
  readonly #items = new Fifo<T>()

  /** Adds what is not there yet. */
  add(item: T): void {
    if (item.isQueued) return
    item.isQueued = true
    this.#items.push(item)
  }

  /** Takes the first one out; null when there is none. */
  take(): T | null {
    const item = this.#items.shift()
    if (item !== null) item.isQueued = false
    return item
  }

  /** Whether nobody has anything to tell. */
  get isEmpty(): boolean {
    return this.#items.size === 0
  }
}
