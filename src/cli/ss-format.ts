// Sockets in the lines of Linux's ss: columns that fit their contents, tcp_info by its names.
// Owns: the lines. Does not own: which sockets (ss-filter.ts).
// Read first: ss(8).

import type { SocketRecord } from './control-answers.ts'

/** What is shown of each socket besides its ends. */
export interface SocketView {
  readonly info: boolean
  readonly extended: boolean
  readonly memory: boolean
  readonly timers: boolean
  readonly processes: boolean
  readonly header: boolean
  readonly oneLine: boolean
  /** Whether both protocols are shown, and so named. */
  readonly netid: boolean
  /** Of the instance. */
  readonly process: { readonly name: string; readonly pid: number }
}

/** The lines of a table. */
export function socketLines(sockets: readonly SocketRecord[], view: SocketView): string[] {
  const rows = sockets.map(columnsOf)
  const titles = ['Netid', 'State', 'Recv-Q', 'Send-Q', 'Local Address', 'Port', 'Peer Address', 'Port']
  const shown = view.header ? [titles, ...rows] : rows
  const width = titles.map((_, i) => Math.max(0, ...shown.map((row) => row[i].length)))
  const line = (row: readonly string[]): string => {
    const [netid, state, received, sent, local, localPort, remote, remotePort] = row.map((text, i) =>
      i === 4 || i === 6 ? text.padStart(width[i]) : text.padEnd(width[i]),
    )
    const first = view.netid ? `${netid} ` : ''
    return `${first}${state} ${received} ${sent} ${local}:${localPort} ${remote}:${remotePort}`
  }
  const lines = view.header ? [`${line(titles)} ${view.processes ? 'Process' : ''}`.trimEnd()] : []
  for (const [i, socket] of sockets.entries()) {
    const behind = behindOf(socket, view)
    const inside = insideOf(socket, view)
    const head = `${line(rows[i])} ${behind}`.trimEnd()
    if (inside === '') lines.push(head)
    else if (view.oneLine) lines.push(`${head} ${inside}`)
    else lines.push(head, `\t ${inside}`)
  }
  return lines
}

function columnsOf(socket: SocketRecord): string[] {
  const { protocol, state, receiveBytes, sendBytes, local, localPort, remote, remotePort } = socket
  const any = local.includes(':') ? '[::]' : local === '*' ? '*' : '0.0.0.0'
  return [
    protocol,
    state,
    String(receiveBytes),
    String(sendBytes),
    bracketed(local),
    String(localPort),
    remote === null ? any : bracketed(remote),
    remote === null ? '*' : String(remotePort),
  ]
}

const bracketed = (address: string): string =>
  address.includes(':') && !address.startsWith('[') ? `[${address}]` : address

/** What stands on the socket's own line. */
function behindOf(socket: SocketRecord, view: SocketView): string {
  const parts: string[] = []
  if (view.processes) parts.push(`users:(("${view.process.name}",pid=${view.process.pid},fd=${socket.id}))`)
  const { timer } = socket
  if (view.timers && timer !== null) parts.push(`timer:(${timer.name},${timeText(timer.leftUs)},${timer.retransmits})`)
  if (view.extended) parts.push(`sk:${socket.id.toString(16)}`)
  return parts.join(' ')
}

/** `1min59sec`, `21.5sec`, `204ms`: as ss tells the time that a timer has left. */
export function timeText(us: number): string {
  const ms = Math.floor(us / 1000)
  const minutes = Math.floor(ms / 60_000)
  const seconds = Math.floor(ms / 1000) % 60
  const rest = ms % 1000
  if (minutes > 0) return `${minutes}min${seconds > 0 ? `${seconds}sec` : ''}`
  if (seconds > 9) return `${seconds}sec`
  if (seconds > 0) return `${seconds}.${String(rest).padStart(3, '0')}sec`
  return `${rest}ms`
}

/** What stands on the line below. */
function insideOf(socket: SocketRecord, view: SocketView): string {
  const parts: string[] = []
  if (view.memory) {
    const { received, receiveBuffer, sendBuffer, queued, drops } = socket.memory
    parts.push(`skmem:(r${received},rb${receiveBuffer},t0,tb${sendBuffer},f0,w${queued},o0,bl0,d${drops})`)
  }
  if (view.info && socket.info !== null) parts.push(infoText(socket.info))
  return parts.join(' ')
}

type Info = NonNullable<SocketRecord['info']>

/** tcp_info, by ss's names and in its order; what is 0 or unknown is left out as there. */
export function infoText(info: Info): string {
  const parts: string[] = []
  const add = (name: string, value: number | null, isShown = value !== null && value > 0): void => {
    if (isShown) parts.push(`${name}:${short(value ?? 0)}`)
  }
  for (const [name, text] of OPTIONS) if (info.tcpi_options.includes(name)) parts.push(text)
  parts.push(info.congestion)
  if (info.tcpi_options.includes('wscale')) parts.push(`wscale:${info.tcpi_snd_wscale},${info.tcpi_rcv_wscale}`)
  add('rto', info.tcpi_rto / 1000)
  add('backoff', info.tcpi_backoff)
  if (info.tcpi_rtt >= 0) parts.push(`rtt:${short(info.tcpi_rtt / 1000)}/${short(info.tcpi_rttvar / 1000)}`)
  add('ato', info.tcpi_ato / 1000)
  add('mss', info.tcpi_snd_mss)
  add('pmtu', info.tcpi_pmtu)
  add('rcvmss', info.tcpi_rcv_mss)
  add('advmss', info.tcpi_advmss)
  const cwnd = Math.max(1, Math.floor(info.tcpi_snd_cwnd))
  add('cwnd', cwnd)
  // Infinity does not pass through JSON.
  const ssthresh = info.tcpi_snd_ssthresh as number | null
  add('ssthresh', ssthresh === null ? null : Math.floor(ssthresh), ssthresh !== null && Number.isFinite(ssthresh))
  for (const name of AMOUNTS) add(name, info[`tcpi_${name}`])
  if (info.tcpi_rtt > 0) parts.push(`send ${Math.round((cwnd * info.tcpi_snd_mss * 8e6) / info.tcpi_rtt)}bps`)
  add('lastsnd', info.tcpi_last_data_sent)
  add('lastrcv', info.tcpi_last_data_recv)
  add('lastack', info.tcpi_last_ack_recv)
  if (info.tcpi_pacing_rate > 0) parts.push(`pacing_rate ${Math.round(info.tcpi_pacing_rate * 8)}bps`)
  if (info.tcpi_delivery_rate > 0) parts.push(`delivery_rate ${Math.round(info.tcpi_delivery_rate * 8)}bps`)
  add('delivered_ce', info.tcpi_delivered_ce)
  if (info.tcpi_delivery_rate_app_limited) parts.push('app_limited')
  parts.push(...limitedText(info))
  add('unacked', info.tcpi_unacked)
  if (info.tcpi_retrans > 0 || info.tcpi_total_retrans > 0)
    parts.push(`retrans:${info.tcpi_retrans}/${info.tcpi_total_retrans}`)
  add('lost', info.tcpi_lost)
  add('sacked', info.tcpi_sacked)
  add('dsack_dups', info.tcpi_dsack_dups)
  add('reordering', info.tcpi_reordering, info.tcpi_reordering > 3)
  add('reord_seen', info.tcpi_reord_seen)
  add('rcv_rtt', info.tcpi_rcv_rtt / 1000)
  add('rcv_space', info.tcpi_rcv_space)
  add('notsent', info.tcpi_notsent_bytes)
  const least = info.tcpi_min_rtt as number | null
  if (least !== null && least >= 0 && Number.isFinite(least)) add('minrtt', least / 1000)
  add('rcv_ooopack', info.tcpi_rcv_ooopack)
  add('snd_wnd', info.tcpi_snd_wnd)
  add('rcv_wnd', info.tcpi_rcv_wnd)
  return parts.join(' ')
}

const OPTIONS = [
  ['timestamps', 'ts'],
  ['sack', 'sack'],
  ['ecn', 'ecn'],
  ['ecnseen', 'ecnseen'],
  ['accecn', 'accecn'],
  ['md5sig', 'md5sig'],
] as const

const AMOUNTS = [
  'bytes_sent',
  'bytes_retrans',
  'bytes_acked',
  'bytes_received',
  'segs_out',
  'segs_in',
  'data_segs_out',
  'data_segs_in',
] as const

function limitedText({ tcpi_busy_time: busy, tcpi_rwnd_limited: window, tcpi_sndbuf_limited: buffer }: Info): string[] {
  if (busy <= 0) return []
  const share = (us: number): string => `${Math.floor(us / 1000)}ms(${((100 * us) / busy).toFixed(1)}%)`
  return [
    `busy:${Math.floor(busy / 1000)}ms`,
    ...(window > 0 ? [`rwnd_limited:${share(window)}`] : []),
    ...(buffer > 0 ? [`sndbuf_limited:${share(buffer)}`] : []),
  ]
}

/** As C's %g for what is not whole: six significant digits. */
function short(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)))
}
