// -F: a form as multipart/form-data.
// Owns: curl's way to write a part (name=text, name=@file, name=<file, ;type=, ;filename=), the body. Does not own: sending it.
// Read first: RFC 7578, curl(1) option --form.

import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { messageOf, usageError } from './errors.ts'
import { CURL, curlError } from './fetch-errors.ts'

/** A form made ready: its body and its Content-Type. */
export interface MultipartForm {
  readonly bytes: Buffer
  readonly contentType: string
}

/** Makes the body of the parts in their order. @throws {CliError} for a part that cannot be meant, or a file that cannot be read */
export function multipartForm(
  parts: readonly string[],
  boundary = `----tunstack${randomBytes(12).toString('hex')}`,
): MultipartForm {
  const pieces = parts.flatMap((part) => {
    const { head, content } = formPart(part)
    return [Buffer.from(`--${boundary}\r\n${head}\r\n\r\n`), content, Buffer.from('\r\n')]
  })
  pieces.push(Buffer.from(`--${boundary}--\r\n`))
  return { bytes: Buffer.concat(pieces), contentType: `multipart/form-data; boundary=${boundary}` }
}

function formPart(part: string): { head: string; content: Buffer } {
  const equals = part.indexOf('=')
  if (equals <= 0) throw usageError(`-F '${part}' is no part of a form`, 'write name=text, name=@file or name=<file')
  const name = part.slice(0, equals)
  const value = part.slice(equals + 1)
  const isFile = value.startsWith('@')
  const [source, ...settings] = value.split(';')
  const setting = (key: string): string | null =>
    settings
      .find((one) => one.trim().startsWith(`${key}=`))
      ?.trim()
      .slice(key.length + 1) ?? null
  // Text may hold semicolons; only files have settings behind them.
  const content = isFile || value.startsWith('<') ? readPart(source.slice(1)) : Buffer.from(value)
  const fileName = isFile ? (setting('filename') ?? basename(source.slice(1))) : null
  const type = isFile ? (setting('type') ?? 'application/octet-stream') : null
  const disposition = `Content-Disposition: form-data; name="${quoted(name)}"`
  const lines = [fileName === null ? disposition : `${disposition}; filename="${quoted(fileName)}"`]
  if (type !== null) lines.push(`Content-Type: ${type.replace(/[\r\n]/g, '')}`)
  return { head: lines.join('\r\n'), content }
}

// RFC 7578 §2, and browsers: percent-encoding for what would end the string or the line.
function quoted(text: string): string {
  return text.replace(/["\r\n]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
}

function readPart(path: string): Buffer {
  try {
    return readFileSync(path === '-' ? 0 : path)
  } catch (error) {
    throw curlError(CURL.read, `Failed to open ${path}: ${messageOf(error)}`)
  }
}
