// A directory as a page of links.
// Owns: the HTML and its escaping. Does not own: reading directories (a FileSource), which entries are hidden
// (files.ts).

/** An entry of a directory. */
export interface DirectoryEntry {
  /** Its name, without any `/`. */
  readonly name: string
  readonly kind: 'file' | 'directory'
  /** Bytes; 0 for a directory. */
  readonly size: number
  /** Last modification in milliseconds since 1970. */
  readonly modifiedMs: number
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Text made safe for HTML, in content and in quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => ENTITIES[c])
}

/** A name as a relative link: percent-encoded, and led by `./` so that `a:b` is no scheme. */
function linkOf(name: string, directory: boolean): string {
  // A lone surrogate cannot be encoded; the link then leads nowhere, which is better than failing the page.
  return `./${encodeURIComponent(name.replace(/\p{Surrogate}/gu, '\ufffd'))}${directory ? '/' : ''}`
}

/**
 * A page that lists a directory: directories first, then by name.
 * @param path its decoded path with a slash at both ends, `/` for the root
 */
export function listingPage(path: string, entries: readonly DirectoryEntry[]): string {
  const sorted = [...entries].sort((a, b) =>
    a.kind !== b.kind ? (a.kind === 'directory' ? -1 : 1) : a.name < b.name ? -1 : a.name > b.name ? 1 : 0,
  )
  const title = `Index of ${escapeHtml(path)}`
  const rows = path === '/' ? [] : ['<tr><td><a href="../">../</a><td><td>']
  for (const { name, kind, size, modifiedMs } of sorted) {
    const directory = kind === 'directory'
    const label = escapeHtml(name) + (directory ? '/' : '')
    const when = new Date(modifiedMs).toISOString().slice(0, 19).replace('T', ' ')
    const href = escapeHtml(linkOf(name, directory))
    rows.push(`<tr><td><a href="${href}">${label}</a><td>${when}<td align="right">${directory ? '' : size}`)
  }
  return `<!doctype html>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<style>body{font:16px sans-serif;margin:2em}td{padding:.1em 1em .1em 0}</style>
<h1>${title}</h1>
<table>
${rows.join('\n')}
</table>
`
}
