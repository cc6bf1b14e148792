// The greatest value of the last rounds: a maximum that forgets.
// Owns: at most one value for each round, falling from the oldest to the newest. Does not own: what a round is.

/** The greatest values, oldest and greatest first; plain data. Make one with `createWindowedMax`. */
export interface WindowedMax {
  values: number[]
  rounds: number[]
}

/** A maximum of nothing. */
export function createWindowedMax(): WindowedMax {
  return { values: [], rounds: [] }
}

/** The greatest value of the window, 0 when there is none. It stays until a newer value comes, however many rounds go by. */
export function windowedMax(filter: WindowedMax): number {
  return filter.values[0] ?? 0
}

/** Takes a value of round `round`, not below the last, and forgets those of `length` rounds ago and before. At most `length` are kept. */
export function pushWindowedMax(filter: WindowedMax, value: number, round: number, length: number): void {
  const { values, rounds } = filter
  while (values.length > 0 && values[values.length - 1] <= value) {
    values.pop()
    rounds.pop()
  }
  if (rounds[rounds.length - 1] !== round) {
    values.push(value)
    rounds.push(round)
  }
  while (rounds[0] <= round - length) {
    values.shift()
    rounds.shift()
  }
}
