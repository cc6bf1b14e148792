// Inputs on disk: one JSON line each, so that a corpus is one small file; and how they are written on a command line.
// Owns: these forms. Does not own: which inputs are kept (search.ts).

import fs from 'node:fs'

const FOLDER = new URL('./corpus/', import.meta.url)

/** An input as text: base64 without padding. */
export function inputText(input: Uint8Array): string {
  return Buffer.from(input).toString('base64url')
}

/** The kept inputs of a target; none when it has no file. `folder` is that of the corpus by default. */
export function readCorpus(name: string, folder: URL = FOLDER): Uint8Array[] {
  const file = new URL(`${name}.jsonl`, folder)
  if (!fs.existsSync(file)) return []
  const lines = fs.readFileSync(file, 'utf8').split('\n')
  return lines.filter((line) => line !== '').map((line) => new Uint8Array(Buffer.from(JSON.parse(line), 'base64url')))
}

/** Replaces the kept inputs of a target. */
export function writeCorpus(name: string, corpus: readonly Uint8Array[], folder: URL = FOLDER): void {
  fs.mkdirSync(folder, { recursive: true })
  const lines = corpus.map((input) => JSON.stringify(inputText(input)))
  fs.writeFileSync(new URL(`${name}.jsonl`, folder), lines.map((line) => `${line}\n`).join(''))
}

/** What `--replay` was given: `target:base64`, or a file that has that in its first line. */
export function readReplay(text: string): { name: string; input: Uint8Array } {
  const line = fs.existsSync(text) ? fs.readFileSync(text, 'utf8').split('\n')[0] : text
  const [name, base64] = line.split(':')
  if (base64 === undefined) throw new RangeError(`'${line.slice(0, 40)}' is not of the form target:base64`)
  return { name, input: new Uint8Array(Buffer.from(base64, 'base64url')) }
}
