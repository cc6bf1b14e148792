// Texts and data inside HTML: nothing that comes from outside may end a tag or a script.
// Owns: the escapes.

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Text for an element or an attribute in quotes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (letter) => ENTITIES[letter])
}

/** JSON for a script element: no `</script`, no `<!--`, and none of the two line ends that JavaScript once did not take. */
export function scriptJson(value: unknown): string {
  return JSON.stringify(value)
    .replace(/</g, '\\u003c')
    .replace(/\u2028/g, '\\u2028')
    .replace(/\u2029/g, '\\u2029')
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** Bytes as base64 (RFC 4648 §4). */
export function base64(bytes: Uint8Array): string {
  const parts: string[] = []
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i
    const word = (bytes[i] << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0)
    const third = left > 1 ? ALPHABET[(word >> 6) & 63] : '='
    const fourth = left > 2 ? ALPHABET[word & 63] : '='
    parts.push(ALPHABET[word >> 18] + ALPHABET[(word >> 12) & 63] + third + fourth)
  }
  return parts.join('')
}

/** A piece of HTML that is safe as it stands. */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** What may stand in a template of `html`: texts are escaped, pieces of HTML are not, lists are joined. */
export type HtmlValue = string | number | Html | readonly HtmlValue[]

const valueText = (value: HtmlValue): string => {
  if (value instanceof Html) return value.text
  return typeof value === 'string' || typeof value === 'number'
    ? escapeHtml(String(value))
    : value.map(valueText).join('')
}

/** A template: html`<td>${text}</td>` escapes the text. */
export function html(parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return new Html(parts.map((part, i) => part + (i < values.length ? valueText(values[i]) : '')).join(''))
}
