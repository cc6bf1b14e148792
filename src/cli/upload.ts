// A place to send bodies to: they are counted, hashed and thrown away, so that uploads can be measured and checked.
// Owns: POST and PUT of /upload. Does not own: everything else, which goes to the next handler.

import { createHash } from 'node:crypto'
import type { Handler, ServerRequest, ServerResponse } from '../http/index.ts'

/** Where bodies are taken. */
export const UPLOAD_PATH = '/upload'

/** A handler that takes uploads at /upload and gives everything else to `next`. */
export function withUploads(next: Handler): Handler {
  return (request, response) => {
    if (request.path !== UPLOAD_PATH) return next(request, response)
    if (request.method === 'POST' || request.method === 'PUT') return takeUpload(request, response)
    if (request.method === 'GET' || request.method === 'HEAD') return next(request, response)
    return response.send(405, { Allow: 'GET, HEAD, POST, PUT' }, '405 Method Not Allowed\n')
  }
}

async function takeUpload(request: ServerRequest, response: ServerResponse): Promise<void> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of request.body) {
    bytes += chunk.length
    hash.update(chunk)
  }
  const answer = JSON.stringify({ bytes, sha256: hash.digest('hex') })
  await response.send(200, { 'Content-Type': 'application/json' }, `${answer}\n`)
}
