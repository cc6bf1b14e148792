// Names that were meant: for errors about a name that nobody knows. Owns: the distance between two words. Nothing else.

/** The candidate that `name` was most likely meant to be, null when none is near: at most a third of its letters differ. */
export function nearestName(name: string, candidates: Iterable<string>): string | null {
  let nearest: string | null = null
  let least = Math.floor(Math.max(3, name.length) / 3) + 1
  for (const candidate of candidates) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase(), least)
    if (distance >= least) continue
    least = distance
    nearest = candidate
  }
  return nearest
}

/** `; did you mean 'nagle'?`, or nothing when no candidate is near. */
export function didYouMean(name: string, candidates: Iterable<string>): string {
  const nearest = nearestName(name, candidates)
  return nearest === null ? '' : `; did you mean '${nearest}'?`
}

/** Letters to change, add, leave out or swap with their neighbour to make one of the other; anything from `most` on is `most`. */
function editDistance(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) >= most) return most
  let before: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1]
      row[j] = Math.min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (isSame ? 0 : 1))
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (isSwapped) row[j] = Math.min(row[j], before[j - 2] + 1)
    }
    before = previous
    previous = row
  }
  return Math.min(most, previous[b.length])
}
