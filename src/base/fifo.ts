// First in, first out, without garbage in the steady state: an array that is emptied and filled again gets new memory each time.
// Owns: the ring. Does not own: bounds, what stands in it.

/** A queue; its ring grows to the most that ever stood in it. */
export class Fifo<T> {
  #ring: (T | null)[] = new Array<T | null>(16).fill(null)
  #head = 0
  #size = 0

  /** How many stand in it. */
  get size(): number {
    return this.#size
  }

  /** Adds one at the end. */
  push(item: T): void {
    if (this.#size === this.#ring.length) this.#grow()
    this.#ring[(this.#head + this.#size) & (this.#ring.length - 1)] = item
    this.#size++
  }

  /** The oldest one, which stays; null when there is none. */
  first(): T | null {
    return this.#ring[this.#head]
  }

  /** The youngest one, which stays; null when there is none. */
  last(): T | null {
    return this.#ring[(this.#head + this.#size - 1) & (this.#ring.length - 1)]
  }

  /** Takes the oldest one out; null when there is none. */
  shift(): T | null {
    if (this.#size === 0) return null
    const item = this.#ring[this.#head]
    this.#ring[this.#head] = null
    this.#head = (this.#head + 1) & (this.#ring.length - 1)
    this.#size--
    return item
  }

  /** Forgets all. */
  clear(): void {
    while (this.shift() !== null);
  }

  #grow(): void {
    const larger = new Array<T | null>(this.#ring.length * 2).fill(null)
    for (let i = 0; i < this.#size; i++) larger[i] = this.#ring[(this.#head + i) & (this.#ring.length - 1)]
    this.#ring = larger
    this.#head = 0
  }
}
