// An outcome as one page that needs nothing else: question, network, claims, plots that share their time axis, ladder, waterfall, why,
// and the captures to download. What can be read without a script stands in the HTML; plots are drawn by the page's script from data.
// Owns: the HTML, and which data the script gets. Does not own: script and style (assets/lab), which the caller hands in.

import { base64, Html, html, scriptJson } from './escape.ts'
import { topologySvg } from './page-topology.ts'
import type { ConnectionRecord, PacketRecord, WorldRecord } from './record.ts'
import { formatFigure, formatValue } from './text-report.ts'
import type { Claim, Outcome, Table } from './types.ts'
import { CAUSES } from './waterfall.ts'

/** What makes the page move and look. */
export interface PageAssets {
  readonly script: string
  readonly style: string
}

/** Captures of more than this are not put into the page: `--pcap` writes them. */
const MOST_CAPTURE_BYTES = 400_000

const NOTHING = new Html('')

/** The page. */
export function reportHtml(outcome: Outcome, { script, style }: PageAssets): string {
  const { id, fact, title, question, claims, tables, why, command, read, live } = outcome
  const failed = claims.filter(({ holds }) => !holds).length
  const verdict = failed === 0 ? `All ${claims.length} claims hold` : `${failed} of ${claims.length} claims failed`
  const body = html`<header>
<p class="kicker"><a href="index.html">tunstack lab</a> / ${id} <span class="fact">${fact}</span></p>
<h1>${title}${live === undefined ? NOTHING : `, live against ${live}`}</h1>
<p class="question">${question}</p>
<p class="verdict ${failed === 0 ? 'good' : 'bad'}">${verdict}</p></header>
<section class="split"><div><h2>Network</h2>${new Html(topologySvg(outcome.topology))}</div>
<div><h2>Settings</h2>${settingsHtml(outcome)}</div></section>
<section><h2>Claims</h2><ul class="claims">${claims.map(claimHtml)}</ul></section>
${tables.map(tableHtml)}
<section id="plots" aria-label="Plots"></section>
<section id="worlds"></section>
${why.length === 0 ? NOTHING : html`<section><h2>Why</h2><ul class="why">${why.map((text) => html`<li>${text}</li>`)}</ul></section>`}
<section><h2>Again</h2><pre class="command"><code>${command}</code></pre>
${capturesHtml(outcome.worlds)}<p class="read">Read: ${read.join('; ')}</p></section>
<noscript><p>The plots need JavaScript; it is in this page, nothing is fetched.</p></noscript>
<script type="application/json" id="data">${new Html(scriptJson(dataOf(outcome)))}</script>
<script>${new Html(script)}</script>`
  return page(`${title} – tunstack lab`, style, body)
}

/** The list of pages. */
export function indexHtml(outcomes: readonly Outcome[], { style }: { readonly style: string }): string {
  const rows = outcomes.map(({ id, fact, title, question, claims }) => {
    const failed = claims.filter(({ holds }) => !holds).length
    const text = failed === 0 ? `${claims.length} hold` : `${failed} of ${claims.length} failed`
    return html`<tr><td>${fact}</td><td><a href="${id}.html">${title}</a><br><span class="doc">${question}</span></td>
<td><span class="${failed === 0 ? 'good' : 'bad'}">${text}</span></td></tr>\n`
  })
  const body = html`<header><p class="kicker">tunstack lab</p><h1>Experiments</h1></header>
<section><table class="index">
<thead><tr><th>Fact</th><th>Experiment</th><th>Claims</th></tr></thead><tbody>${rows}</tbody></table></section>`
  return page('tunstack lab', style, body)
}

function page(title: string, style: string, body: Html): string {
  const { text } = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${new Html(style)}</style>
</head>
<body><main>${body}</main></body>
</html>
`
  return text
}

function settingsHtml({ parameters, seed, live }: Outcome): Html {
  const rows = parameters.map(
    ({ name, value, doc }) => html`<tr><th>${name}</th><td>${value}</td><td class="doc">${doc}</td></tr>`,
  )
  const last =
    live === undefined
      ? html`<tr><th>seed</th><td>${seed}</td><td class="doc">the dice of all worlds</td></tr>`
      : html`<tr><th>against</th><td>${live}</td><td class="doc">in real time, over a TUN device</td></tr>`
  return html`<table class="settings">${rows}${last}</table>`
}

function claimHtml({ text, holds, figures, tolerance, because }: Claim): Html {
  const numbers = figures.map((figure) => html`<span class="figure">${formatFigure(figure)}</span> `)
  return html`<li class="${holds ? 'good' : 'bad'}"><span class="mark">${holds ? 'ok' : 'FAILED'}</span><div><p>${text}</p>
<p class="numbers">${numbers}<span class="tolerance">${tolerance}</span></p><p class="doc">${because}</p></div></li>`
}

function tableHtml({ title, columns, rows }: Table): Html {
  const cell = (value: string | number): Html =>
    html`<td class="${typeof value === 'number' ? 'number' : 'word'}">${formatValue(value)}</td>`
  const head = columns.map((name) => html`<th>${name}</th>`)
  const body = rows.map((row) => html`<tr>${row.map(cell)}</tr>`)
  return html`<section><h2>${title}</h2><div class="scroll"><table class="results"><thead><tr>${head}</tr></thead>
<tbody>${body}</tbody></table></div></section>`
}

function capturesHtml(worlds: readonly WorldRecord[]): Html {
  const links = worlds.flatMap(({ label, captures }) =>
    captures
      .filter(({ bytes }) => bytes.length <= MOST_CAPTURE_BYTES)
      .map(({ host, bytes }) => {
        const name = `${label}-${host}.pcapng`.replace(/[^\w.-]+/g, '-')
        const data = `data:application/x-pcapng;base64,${base64(bytes)}`
        return html`<a download="${name}" href="${data}">${`${label}, ${host}`}</a> `
      }),
  )
  return links.length === 0 ? NOTHING : html`<p class="captures">Packets for Wireshark: ${links}</p>`
}

/** What the script draws: arrays rather than objects, for size. */
function dataOf({ worlds, figures, plots }: Outcome) {
  return {
    figures,
    plots,
    causes: CAUSES,
    worlds: worlds.map(({ label, endedAt, hosts, packets, omitted, connections, transactions, queues, faults }) => ({
      label,
      endedAt,
      hosts,
      omitted,
      faults,
      packets: packets.map(packetRow),
      connections: connections.map(connectionData),
      transactions,
      queues,
    })),
  }
}

function packetRow(p: PacketRecord) {
  return [
    p.sentAt,
    p.receivedAt,
    p.from,
    p.to,
    p.connection,
    p.line,
    p.seq,
    p.ack,
    p.textBytes,
    p.window,
    p.isAgain ? 1 : 0,
    p.http,
    p.fate,
  ]
}

function connectionData({ name, ends }: ConnectionRecord) {
  return {
    name,
    ends: ends.map(({ host, mss, windows, rtts, holds, ackHolds, resent, states }) => ({
      host,
      mss,
      windows: windows.map((w) => [w.at, w.cwnd, w.ssthresh, w.inFlight, w.peerWindow, w.acknowledged]),
      rtts: rtts.map((r) => [r.at, r.rttUs, r.srttUs, r.rtoUs]),
      holds: holds.slice(0, 400).map((h) => [h.from, h.to, h.reason, h.text, h.clause]),
      ackHolds: ackHolds.slice(0, 400).map((h) => [h.from, h.to, h.reason, h.text, h.clause]),
      resent: resent.slice(0, 400).map((r) => [r.at, r.seq, r.cause, r.text]),
      states: states.map((s) => [s.at, s.to]),
    })),
  }
}
