// Who has something to send, and who has something to tell: two queues in which each stands at most once, however often it is named.
// Owns: the order. Does not own: what is sent or told (layer.ts).

/** What can stand in a DirtyQueue. */
export interface Dirtyable {
  isDirty: boolean
}

/** Connections that may have something to send, in the order in which they were touched. */
export class DirtyQueue<T extends Dirtyable> {
  readonly #items: T[] = []
  #head = 0
  readonly #waits: (item: T) => boolean
  readonly #waiting: T[] = []

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
    if (isAll) while (this.#waiting.length > 0) this.#items.push(this.#waiting.shift() as T)
    else
      while (this.#head < this.#items.length && this.#waits(this.#items[this.#head])) {
        this.#waiting.push(this.#items[this.#head++])
      }
    if (this.#head < this.#items.length) return this.#items[this.#head]
    this.#items.length = 0
    this.#head = 0
    return null
  }

  /** Takes the first one out. */
  drop(): void {
    this.#items[this.#head++].isDirty = false
  }
}

/** What can stand in an EventQueue. */
export interface Queueable {
  isQueued: boolean
}

/** Sources with events to tell, in the order in which they had the first of them. */
export class EventQueue<T extends Queueable> {
  readonly #items: T[] = []
  #head = 0

  /** Adds what is not there yet. */
  add(item: T): void {
    if (item.isQueued) return
    item.isQueued = true
    this.#items.push(item)
  }

  /** Takes the first one out; null when there is none. */
  take(): T | null {
    if (this.isEmpty) return null
    const item = this.#items[this.#head++]
    item.isQueued = false
    if (this.isEmpty) {
      this.#items.length = 0
      this.#head = 0
    }
    return item
  }

  /** Whether nobody has anything to tell. */
  get isEmpty(): boolean {
    return this.#head === this.#items.length
  }
}
