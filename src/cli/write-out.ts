// curl's -w: a format with %{variables}, and what was measured of a transfer.
// Owns: the record of a transfer, the names of variables, the texts. Does not own: measuring (fetch-transfer.ts).
// Read first: curl(1), option --write-out.

import type { Micros } from '../base/time.ts'

/** Everything that -w can tell of a transfer. Times are from its start; sizes in bytes. */
export interface TransferRecord {
  /** The URL as it was given. */
  url: string
  /** The URL that was fetched last, behind redirects. */
  urlEffective: string
  method: string
  /** 0 when there was no answer. */
  status: number
  httpVersion: string
  contentType: string | null
  redirectUrl: string | null
  headers: readonly (readonly [name: string, value: string])[]
  sizeDownload: number
  sizeUpload: number
  sizeHeader: number
  sizeRequest: number
  connects: number
  /** The number of the connection used last, from 0; -1 for none. */
  connectionId: number
  redirects: number
  retries: number
  usedProxy: boolean
  localAddress: string
  localPort: number
  remoteAddress: string
  remotePort: number
  nameLookupUs: Micros
  connectUs: Micros
  secureUs: Micros
  preTransferUs: Micros
  startTransferUs: Micros
  redirectUs: Micros
  totalUs: Micros
  fileName: string | null
  exitCode: number
  errorMessage: string | null
  /** What to do about the error; not for -w. */
  mend: string | null
  /** How many transfers came before. */
  index: number
}

/** A record before anything has happened. */
export function transferRecord(url: string, method: string, index: number): TransferRecord {
  return {
    url,
    urlEffective: url,
    method,
    status: 0,
    httpVersion: '0',
    contentType: null,
    redirectUrl: null,
    headers: [],
    sizeDownload: 0,
    sizeUpload: 0,
    sizeHeader: 0,
    sizeRequest: 0,
    connects: 0,
    connectionId: -1,
    redirects: 0,
    retries: 0,
    usedProxy: false,
    localAddress: '',
    localPort: 0,
    remoteAddress: '',
    remotePort: 0,
    nameLookupUs: 0,
    connectUs: 0,
    secureUs: 0,
    preTransferUs: 0,
    startTransferUs: 0,
    redirectUs: 0,
    totalUs: 0,
    fileName: null,
    exitCode: 0,
    errorMessage: null,
    mend: null,
    index,
  }
}

type Variable = (record: TransferRecord) => number | string | null

const seconds = (us: Micros): number => Math.round(us) / 1e6
const speed = (bytes: number, us: Micros): number => (us > 0 ? Math.round((bytes * 1e6) / us) : 0)

/** The variables by curl's names, as far as anything here can give them a value. */
const VARIABLES: Readonly<Record<string, Variable>> = {
  conn_id: (r) => r.connectionId,
  content_type: (r) => r.contentType,
  errormsg: (r) => r.errorMessage,
  exitcode: (r) => r.exitCode,
  filename_effective: (r) => r.fileName,
  http_code: (r) => r.status,
  http_version: (r) => (r.httpVersion === '1.0' ? '1' : r.httpVersion),
  local_ip: (r) => r.localAddress,
  local_port: (r) => r.localPort,
  method: (r) => r.method,
  num_connects: (r) => r.connects,
  num_headers: (r) => r.headers.length,
  num_retries: (r) => r.retries,
  num_redirects: (r) => r.redirects,
  proxy_used: (r) => (r.usedProxy ? 1 : 0),
  redirect_url: (r) => r.redirectUrl,
  remote_ip: (r) => r.remoteAddress,
  remote_port: (r) => r.remotePort,
  response_code: (r) => r.status,
  scheme: (r) => (/^https:/i.test(r.urlEffective) ? 'HTTPS' : 'HTTP'),
  size_download: (r) => r.sizeDownload,
  size_header: (r) => r.sizeHeader,
  size_request: (r) => r.sizeRequest,
  size_upload: (r) => r.sizeUpload,
  speed_download: (r) => speed(r.sizeDownload, r.totalUs),
  speed_upload: (r) => speed(r.sizeUpload, r.totalUs),
  time_appconnect: (r) => seconds(r.secureUs),
  time_connect: (r) => seconds(r.connectUs),
  time_namelookup: (r) => seconds(r.nameLookupUs),
  time_pretransfer: (r) => seconds(r.preTransferUs),
  time_redirect: (r) => seconds(r.redirectUs),
  time_starttransfer: (r) => seconds(r.startTransferUs),
  time_total: (r) => seconds(r.totalUs),
  url: (r) => r.url,
  url_effective: (r) => r.urlEffective,
  urlnum: (r) => r.index,
}

/** What -w writes, cut where `%{stderr}` and `%{stdout}` change the place. */
export interface WrittenOut {
  readonly to: 'stdout' | 'stderr'
  readonly text: string
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '\\': '\\' }
const PIECE = /%\{([^}]*)\}|%header\{([^}]*)\}|%%|\\(.)|[^%\\]+|[%\\]/gs

/**
 * Fills in a format: `%{http_code}`, `%header{etag}`, `%{json}`, `%{stderr}`, `%%`, `\n`, `\t`.
 * @param onUnknown told of names that mean nothing here; they give no text, as in curl
 */
export function formatWriteOut(
  format: string,
  record: TransferRecord,
  onUnknown: (name: string) => void,
): WrittenOut[] {
  const parts: { to: 'stdout' | 'stderr'; text: string }[] = [{ to: 'stdout', text: '' }]
  for (const [whole, variable, header, escaped] of format.matchAll(PIECE)) {
    if (variable === 'stderr' || variable === 'stdout') parts.push({ to: variable, text: '' })
    else parts[parts.length - 1].text += piece(whole, variable, header, escaped, record, onUnknown)
  }
  return parts.filter(({ text }) => text !== '')
}

function piece(
  whole: string,
  variable: string | undefined,
  header: string | undefined,
  escaped: string | undefined,
  record: TransferRecord,
  onUnknown: (name: string) => void,
): string {
  if (whole === '%%') return '%'
  if (escaped !== undefined) return ESCAPES[escaped] ?? whole
  if (header !== undefined) {
    return record.headers.find(([name]) => name.toLowerCase() === header.toLowerCase())?.[1] ?? ''
  }
  if (variable === undefined) return whole
  if (variable === 'json') return writeOutJson(record)
  if (variable === 'onerror') return ''
  if (!Object.hasOwn(VARIABLES, variable)) {
    onUnknown(variable)
    return ''
  }
  const value = VARIABLES[variable](record)
  if (variable === 'http_code' || variable === 'response_code') return String(value).padStart(3, '0')
  if (variable.startsWith('time_')) return Number(value).toFixed(6)
  return String(value ?? '')
}

/** All variables as one JSON object, as `%{json}` gives them. */
export function writeOutJson(record: TransferRecord): string {
  return JSON.stringify(Object.fromEntries(Object.entries(VARIABLES).map(([name, value]) => [name, value(record)])))
}
