// Every state of a small world, breadth first: so that the first way found to a state is a shortest one. A stack cannot be copied (its
// private parts are out of reach), so a state is the choices that lead to it, walked again from the start for each further choice; what
// was seen before, by its key, is not gone into again.
//
// Then the graph is looked at as a whole: from every state, fault or not, the world comes to a good end when nothing more goes wrong; and
// nowhere do packets run in a circle while time stands still.
// Owns: the search, the graph, the verdicts. Does not own: what a world is (world.ts).

import type { TcpConfig } from '../../src/tcp/config.ts'
import { World, type WorldSpec } from './world.ts'

/** A choice of words and numbers that can be read back: `world/config/faults:choices`. */
export interface Failure {
  readonly what: string
  readonly path: readonly string[]
}

/** What a search has found. */
export interface Findings {
  readonly world: string
  readonly config: string
  readonly faults: number
  readonly states: number
  readonly transitions: number
  readonly depth: number
  readonly seconds: number
  /** States in which nothing happens any more. */
  readonly ends: number
  /** The whole space was seen. */
  readonly isWhole: boolean
  readonly failures: readonly Failure[]
  /** Changes of connections' states, `from > to`, and on how many of the transitions they were seen. */
  readonly changes: ReadonlyMap<string, number>
}

/** What is searched, and how far. */
export interface SearchOptions {
  readonly spec: WorldSpec
  readonly configName: string
  readonly tcp: Partial<TcpConfig>
  readonly faults: number
  /** No new state is gone into after so many, or after so many seconds. */
  readonly mostStates?: number
  readonly mostSeconds?: number
  readonly mostFailures?: number
}

/** How a transition counts in the graph. */
const KIND = { packet: 0, free: 1, fault: 2 } as const

/** Numbers that are appended to. */
class Numbers {
  #array = new Int32Array(1024)
  length = 0

  push(value: number): void {
    if (this.length === this.#array.length) {
      const larger = new Int32Array(2 * this.length)
      larger.set(this.#array)
      this.#array = larger
    }
    this.#array[this.length++] = value
  }

  at(i: number): number {
    return this.#array[i]!
  }
}

/** A search of one world. */
class Search {
  readonly #options: SearchOptions
  readonly #ids = new Map<number, number>()
  readonly #parents = new Numbers()
  readonly #depths = new Numbers()
  readonly #arrivals: string[] = []
  readonly #choices: (readonly string[] | null)[] = []
  readonly #from = new Numbers()
  readonly #to = new Numbers()
  readonly #kinds = new Numbers()
  readonly #ends: number[] = []
  readonly #changes = new Map<string, number>()
  readonly #failures = new Map<string, Failure>()
  readonly #startedAt = performance.now()
  /** States from here on have not been gone into. */
  #fresh = 1

  constructor(options: SearchOptions) {
    this.#options = options
  }

  run(): Findings {
    const { spec, configName, faults, mostStates = 5e6, mostSeconds = 1e9, mostFailures = 3 } = this.#options
    this.#note(this.#make(), -1, '')
    let isWhole = true
    for (let id = 0; id < this.#arrivals.length && this.#failures.size < mostFailures; id++) {
      if (this.#arrivals.length > mostStates || this.#seconds() > mostSeconds) {
        isWhole = false
        break
      }
      const choices = this.#choices[id] ?? []
      this.#choices[id] = null
      if (choices.length === 0) continue
      const path = this.#path(id)
      for (const choice of choices) {
        // The world that has led to a new state stands there already: its first choice costs no walk.
        const world = this.#walk(path)
        let at = id
        let next: string | undefined = choice
        while (next !== undefined) {
          const to = this.#try(world, at, next)
          if (to < 0 || this.#choices[to] === null || to < this.#fresh) break
          this.#fresh = to + 1
          const more: readonly string[] = this.#choices[to] ?? []
          next = more[0]
          this.#choices[to] = more.slice(1)
          at = to
        }
        world.dispose()
      }
    }
    if (isWhole && this.#failures.size < mostFailures) this.#judgeGraph()
    return {
      world: spec.name,
      config: configName,
      faults,
      states: this.#arrivals.length,
      transitions: this.#from.length,
      depth: this.#depths.at(this.#depths.length - 1),
      seconds: this.#seconds(),
      ends: this.#ends.length,
      isWhole: isWhole && this.#failures.size < mostFailures,
      failures: [...this.#failures.values()],
      changes: this.#changes,
    }
  }

  #seconds(): number {
    return (performance.now() - this.#startedAt) / 1000
  }

  #make(): World {
    const { spec, tcp, faults } = this.#options
    return new World(spec, tcp, faults)
  }

  #path(id: number): string[] {
    const path: string[] = []
    for (let at = id; at > 0; at = this.#parents.at(at)) path.push(this.#arrivals[at]!)
    return path.reverse()
  }

  #walk(path: readonly string[]): World {
    const world = this.#make()
    world.isChecked = false
    for (const step of path) world.apply(step)
    world.isChecked = true
    return world
  }

  /** Where the choice leads from state `id`, in which `world` is; -1 when it fails. */
  #try(world: World, id: number, choice: string): number {
    world.changes.length = 0
    const { now } = world
    try {
      world.apply(choice)
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error), [...this.#path(id), choice])
      return -1
    }
    for (const change of world.changes) this.#changes.set(change, (this.#changes.get(change) ?? 0) + 1)
    const to = this.#note(world, id, choice)
    this.#from.push(id)
    this.#to.push(to)
    const isPacket = /^[pg]/.test(choice) || (choice.startsWith('t') && world.now === now)
    this.#kinds.push(isPacket ? KIND.packet : /^[ot]/.test(choice) ? KIND.free : KIND.fault)
    return to
  }

  /** The state's number; a new one is looked at. */
  #note(world: World, parent: number, choice: string): number {
    const key = world.key()
    const known = this.#ids.get(key)
    if (known !== undefined) return known
    const id = this.#arrivals.length
    this.#ids.set(key, id)
    this.#parents.push(parent)
    this.#depths.push(parent < 0 ? 0 : this.#depths.at(parent) + 1)
    this.#arrivals.push(choice)
    const choices = world.choices()
    this.#choices.push(choices)
    if (!choices.some((c) => /^[pgot]/.test(c))) {
      const wrong = world.judgeEnd()
      if (wrong === null) this.#ends.push(id)
      else this.#fail(`at the end ${wrong}`, this.#path(id))
    }
    return id
  }

  #fail(what: string, path: readonly string[]): void {
    const kind = what.replace(/\d+/g, 'n')
    if (!this.#failures.has(kind)) this.#failures.set(kind, { what, path })
  }

  /** From everywhere to a good end without further faults; no circle of packets. */
  #judgeGraph(): void {
    const count = this.#arrivals.length
    const isFree = (kind: number): boolean => kind !== KIND.fault
    const back = this.#adjacency(count, this.#to, this.#from, isFree)
    const isGood = new Uint8Array(count)
    const todo = [...this.#ends]
    for (const id of todo) isGood[id] = 1
    for (let id = todo.pop(); id !== undefined; id = todo.pop()) {
      for (let i = back.starts[id]!; i < back.starts[id + 1]!; i++) {
        const from = back.items[i]!
        if (isGood[from] === 0) {
          isGood[from] = 1
          todo.push(from)
        }
      }
    }
    const stuck = isGood.indexOf(0)
    if (stuck >= 0 && this.#failures.size === 0)
      this.#fail('from here no good end is reached any more', this.#path(stuck))
    const circle = this.#findCircle(count)
    if (circle >= 0) this.#fail('packets run in a circle while time stands still', this.#path(circle))
  }

  #adjacency(
    count: number,
    from: Numbers,
    to: Numbers,
    wanted: (kind: number) => boolean,
  ): { starts: Int32Array; items: Int32Array } {
    const starts = new Int32Array(count + 1)
    for (let i = 0; i < from.length; i++) if (wanted(this.#kinds.at(i))) starts[from.at(i) + 1]!++
    for (let i = 0; i < count; i++) starts[i + 1]! += starts[i]!
    const items = new Int32Array(starts[count]!)
    const fill = starts.slice()
    for (let i = 0; i < from.length; i++) if (wanted(this.#kinds.at(i))) items[fill[from.at(i)]!++] = to.at(i)
    return { starts, items }
  }

  #findCircle(count: number): number {
    const { starts, items } = this.#adjacency(count, this.#from, this.#to, (kind) => kind === KIND.packet)
    const colour = new Uint8Array(count) // 1: on the way, 2: done
    for (let root = 0; root < count; root++) {
      if (colour[root] !== 0) continue
      const stack = [root]
      const next = [starts[root]!]
      colour[root] = 1
      while (stack.length > 0) {
        const id = stack.at(-1)!
        const i = next[next.length - 1]!++
        if (i >= starts[id + 1]!) {
          colour[id] = 2
          stack.pop()
          next.pop()
          continue
        }
        const to = items[i]!
        if (colour[to] === 1) return to
        if (colour[to] !== 0) continue
        colour[to] = 1
        stack.push(to)
        next.push(starts[to]!)
      }
    }
    return -1
  }
}

/** Searches a world, to the end or as far as is allowed. */
export function search(options: SearchOptions): Findings {
  return new Search(options).run()
}
