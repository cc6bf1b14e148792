// What a parameter's text is as a number, whatever its unit, so that an axis can be drawn.
// Owns: trying the units in turn. Does not own: the units (src/link/impair-options.ts).

import { parseDuration, parsePackets, parsePercent, parseRate, parseSize } from '../link/impair-options.ts'

/** The number of a text like '20ms', '10mbit', '1%', '64kb', '20p' or '3': microseconds, bits per second, ...; null for a word. */
export function parseParameterText(text: string): number | null {
  if (/^-?[0-9]+(?:\.[0-9]+)?$/.test(text.trim())) return Number(text)
  for (const read of [parseDuration, parseRate, parsePercent, parseSize, parsePackets]) {
    try {
      return read(text)
    } catch {
      // another unit
    }
  }
  return null
}
