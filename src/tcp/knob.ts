// What is known of one setting, and short ways to write it. Owns: the shape. Does not own: the settings (config.ts).

/** A setting: its default, what it may be. */
export interface Knob<T> {
  readonly default: T
  readonly least?: number
  readonly most?: number
  /** The words that it may be. */
  readonly oneOf?: readonly T[]
  /** It is agreed on, or used up, when the connection opens: later changes are refused. */
  readonly isFixed?: boolean
}

/** A number within bounds, both included. */
export const number = (value: number, least: number, most: number): Knob<number> => ({ default: value, least, most })
/** On or off. */
export const flag = (value: boolean): Knob<boolean> => ({ default: value })
/** One of some words, the default first. */
export const word = <T extends string>(value: T, ...others: T[]): Knob<T> => ({
  default: value,
  oneOf: [value, ...others],
})
/** Fixed once the connection opens. */
export const atOpen = <T>(knob: Knob<T>): Knob<T> => ({ ...knob, isFixed: true })
