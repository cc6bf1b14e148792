// The media type of a file by the end of its name.
// Owns: a small table. Does not own: sniffing contents, which this server tells browsers not to do either.
// Read first: RFC 9110 §8.3 (Content-Type).

const TEXT = '; charset=utf-8'
const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html' + TEXT,
  htm: 'text/html' + TEXT,
  css: 'text/css' + TEXT,
  js: 'text/javascript' + TEXT,
  mjs: 'text/javascript' + TEXT,
  json: 'application/json',
  map: 'application/json',
  txt: 'text/plain' + TEXT,
  md: 'text/markdown' + TEXT,
  csv: 'text/csv' + TEXT,
  xml: 'application/xml',
  svg: 'image/svg+xml',
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
  avif: 'image/avif',
  ico: 'image/x-icon',
  wasm: 'application/wasm',
  pdf: 'application/pdf',
  mp4: 'video/mp4',
  webm: 'video/webm',
  woff2: 'font/woff2',
  zip: 'application/zip',
  gz: 'application/gzip',
  tar: 'application/x-tar',
}

/** The media type for a file name; `application/octet-stream` for an ending that is not known (RFC 9110 §8.3). */
export function contentTypeOf(name: string): string {
  const dot = name.lastIndexOf('.')
  const ending = dot === -1 ? '' : name.slice(dot + 1).toLowerCase()
  return Object.hasOwn(TYPES, ending) ? TYPES[ending] : 'application/octet-stream'
}
