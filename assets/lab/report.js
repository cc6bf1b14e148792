// The script of a report: draws plots that share their time axis, the ladder and the waterfall, from the data in the page.
// Owns: drawing and moving about. Does not own: anything that can be read without a script (src/lab/html-report.ts). Fetches nothing.
;(() => {
  const data = JSON.parse(document.getElementById('data').textContent)
  const esc = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`)
  const colour = (i) => `var(--c${i % 8})`
  const mix = (a, b) => `color-mix(in srgb, var(--${a}) 60%, var(--${b}))`
  const CAUSE_COLOURS = {
    wait: mix('c7', 'paper'),
    'answers-ahead': mix('c1', 'paper'),
    resolve: 'var(--c2)',
    handshake: 'var(--c3)',
    request: 'var(--c4)',
    server: 'var(--c7)',
    travel: 'var(--c0)',
    'slow-start': 'var(--c1)',
    'congestion-avoidance': 'var(--c6)',
    nagle: 'var(--c5)',
    'nagle-delayed-ack': mix('c5', 'ink'),
    'delayed-ack': mix('c3', 'ink'),
    'peer-window': mix('c2', 'ink'),
    retransmission: 'var(--bad)',
    pacing: mix('c4', 'ink'),
  }
  const causeColour = (name) => CAUSE_COLOURS[name] ?? 'var(--c7)'
  const HOLD_COLOURS = {
    nagle: 'var(--c5)',
    cwnd: 'var(--c1)',
    window: 'var(--c6)',
    delayed: 'var(--c3)',
    interactive: 'var(--c3)',
  }

  // ---- numbers and axes

  /** Round steps that cut a range into about `count` parts. */
  function ticks(from, to, count) {
    const span = to - from
    if (!(span > 0)) return [from]
    const rough = span / count
    const base = 10 ** Math.floor(Math.log10(rough))
    const step = base * [1, 2, 5, 10].find((m) => base * m >= rough)
    const list = []
    for (let v = Math.ceil(from / step) * step; v <= to + step / 1e6; v += step)
      list.push(Math.abs(v) < step / 1e6 ? 0 : v)
    return list
  }

  const digits = (value, step) => {
    const places = Math.max(0, Math.min(6, -Math.floor(Math.log10(Math.abs(step) || 1))))
    return value.toFixed(places)
  }

  function timeText(us, stepUs) {
    const unit = view.to >= 10e6 ? [1e6, 's'] : [1e3, 'ms']
    return `${digits(us / unit[0], stepUs / unit[0])} ${unit[1]}`
  }

  function short(value) {
    const size = Math.abs(value)
    if (size >= 1e6) return `${Math.round(value / 1e4) / 100}M`
    if (size >= 1e4) return `${Math.round(value / 100) / 10}k`
    return String(Math.round(value * 100) / 100)
  }

  // ---- what is shown

  let world = data.worlds[0]
  let connection = -1
  let view = { from: 0, to: 1 }
  let picked = -1
  const P = {
    sent: 0,
    there: 1,
    from: 2,
    to: 3,
    conn: 4,
    line: 5,
    seq: 6,
    ack: 7,
    text: 8,
    window: 9,
    again: 10,
    http: 11,
    fate: 12,
  }
  const host = document.getElementById('worlds')
  const tip = document.createElement('div')
  tip.className = 'tip'
  tip.setAttribute('role', 'status')

  const isIn = (index) => connection < 0 || index === connection

  /** The end of a connection that sent most. */
  function senderOf({ ends }) {
    const sent = (end) => end.windows.at(-1)?.[5] ?? 0
    return [...ends].sort((a, b) => sent(b) - sent(a))[0]
  }

  function chosen() {
    return world.connections
      .map((c, i) => ({ c, i, end: senderOf(c) }))
      .filter(({ i, end }) => isIn(i) && end !== undefined && end.windows.length > 1)
  }

  function limits() {
    const times = world.packets.flatMap((p) => [p[P.sent], p[P.there]]).filter((t) => t >= 0)
    const last = Math.max(world.endedAt, ...(times.length > 0 && times.length < 20000 ? [Math.max(...times)] : [0]))
    return { from: 0, to: Math.max(last, 1) }
  }

  // ---- figures with a time axis: each gives { title, y, curves }

  const FIGURES = {
    'time-sequence': () => {
      const curves = []
      const flows = new Map()
      for (const [i, p] of world.packets.entries()) {
        if (p[P.sent] < 0 || !isIn(p[P.conn]) || p[P.conn] < 0) continue
        const key = `${p[P.conn]} ${p[P.from]}`
        const flow = flows.get(key) ?? { bytes: 0, from: p[P.from], conn: p[P.conn], segments: [], again: [], gone: [] }
        flows.set(key, flow)
        if (p[P.text] === 0) continue
        flow.bytes += p[P.text]
        const point = [p[P.sent], p[P.seq] + p[P.text], i]
        ;(p[P.again] ? flow.again : flow.segments).push(point)
        if (p[P.there] < 0 && p[P.fate] !== '') flow.gone.push(point)
      }
      const biggest = new Map()
      for (const flow of flows.values())
        if (flow.bytes > (biggest.get(flow.conn)?.bytes ?? 0)) biggest.set(flow.conn, flow)
      for (const [n, flow] of [...biggest.values()].slice(0, 8).entries()) {
        const many = biggest.size > 1
        const name = many ? (world.connections[flow.conn]?.name ?? '') : `segments of ${flow.from}`
        curves.push({ name, points: flow.segments, shape: 'dots', colour: colour(many ? n : 0) })
        if (flow.again.length > 0)
          curves.push({ name: 'sent again', points: flow.again, shape: 'dots', colour: 'var(--c1)' })
        if (flow.gone.length > 0)
          curves.push({ name: 'lost', points: flow.gone, shape: 'crosses', colour: 'var(--bad)' })
        if (many) continue
        const acks = world.packets
          .filter((p) => p[P.conn] === flow.conn && p[P.to] === flow.from && p[P.ack] >= 0 && p[P.there] >= 0)
          .map((p) => [p[P.there], p[P.ack]])
          .sort((a, b) => a[0] - b[0])
        curves.push({ name: 'acknowledged', points: acks, shape: 'step', colour: 'var(--c2)' })
        curves.push({ name: 'window', points: windowEdge(flow), shape: 'step', colour: 'var(--c7)', isQuiet: true })
      }
      return { title: 'Time-sequence', y: 'sequence number, bytes', curves, isFromZero: true }
    },
    window: () => {
      const list = chosen()
      if (list.length !== 1) {
        const curves = list.slice(0, 8).map(({ c, end }, n) => ({
          name: c.name,
          points: end.windows.map((w) => [w[0], w[1] / (end.mss || 1)]),
          shape: 'step',
          colour: colour(n),
        }))
        return { title: 'Congestion window', y: 'segments', curves, isFromZero: true }
      }
      const { end } = list[0]
      const of = (k) => end.windows.filter((w) => w[k] >= 0).map((w) => [w[0], w[k] / (end.mss || 1)])
      return {
        title: 'Congestion window',
        y: 'segments',
        isFromZero: true,
        curves: [
          { name: 'in flight', points: of(3), shape: 'step', colour: 'var(--c7)' },
          { name: 'cwnd', points: of(1), shape: 'step', colour: 'var(--c0)' },
          { name: 'ssthresh', points: of(2), shape: 'step', colour: 'var(--c1)', isReference: true },
        ],
      }
    },
    'window-scaling': () => {
      const [first] = chosen()
      const of = (k) => (first?.end.windows ?? []).map((w) => [w[0], w[k]])
      return {
        title: 'Window scaling',
        y: 'bytes',
        isFromZero: true,
        curves: [
          { name: "receiver's window", points: of(4), shape: 'step', colour: 'var(--c2)' },
          { name: 'bytes out', points: of(3), shape: 'step', colour: 'var(--c0)' },
        ],
      }
    },
    'round-trip': () => {
      const list = chosen().slice(0, 8)
      return {
        title: 'Round-trip time',
        y: 'ms',
        isFromZero: true,
        curves: list.flatMap(({ c, end }, n) => [
          {
            name: list.length > 1 ? c.name : 'measured',
            points: end.rtts.map((r) => [r[0], r[1] / 1000]),
            shape: 'dots',
            colour: colour(n),
          },
          ...(list.length > 1
            ? []
            : [
                {
                  name: 'smoothed',
                  points: end.rtts.map((r) => [r[0], r[2] / 1000]),
                  shape: 'line',
                  colour: 'var(--c2)',
                },
              ]),
        ]),
      }
    },
    throughput: () => {
      const bin = Math.max(1, (view.to - view.from) / 80)
      const list = chosen().slice(0, 8)
      return {
        title: 'Throughput',
        y: 'Mbit/s acknowledged',
        isFromZero: true,
        curves: list.map(({ c, end }, n) => ({
          name: list.length > 1 ? c.name : 'throughput',
          points: rate(end.windows, bin),
          shape: 'line',
          colour: colour(n),
        })),
      }
    },
    queue: () => ({
      title: 'Queue',
      y: 'packets',
      isFromZero: true,
      curves: [...world.queues]
        .map((q) => ({ q, most: Math.max(0, ...q.points.slice(0, 4000).map((p) => p[1])) }))
        .sort((a, b) => b.most - a.most)
        .slice(0, 3)
        .flatMap(({ q, most }, n) => [
          { name: q.name, points: q.points, shape: 'step', colour: colour(n) },
          ...(q.drops.length > 0
            ? [
                {
                  name: `${q.drops.length} dropped`,
                  points: q.drops.map((t) => [t, most]),
                  shape: 'crosses',
                  colour: 'var(--bad)',
                },
              ]
            : []),
        ]),
    }),
  }

  /** How far the receiver's window lets the sender go. */
  function windowEdge(flow) {
    return world.packets
      .filter((p) => p[P.conn] === flow.conn && p[P.to] === flow.from && p[P.ack] >= 0 && p[P.there] >= 0)
      .map((p) => [p[P.there], p[P.ack] + p[P.window]])
  }

  function rate(windows, bin) {
    const points = []
    let at = view.from
    let before = null
    for (const w of windows) {
      if (before === null && w[0] >= at) before = w[5]
      while (w[0] >= at + bin && before !== null) {
        points.push([at + bin / 2, ((w[5] - before) * 8) / bin])
        before = w[5]
        at += bin
      }
    }
    return points
  }

  // ---- drawing a chart

  const MARGIN = { left: 56, right: 14, top: 8, bottom: 22 }

  function scales(width, height, x0, x1, y0, y1, logX, logY) {
    const fx = logX ? Math.log10 : (v) => v
    const fy = logY ? Math.log10 : (v) => v
    const w = width - MARGIN.left - MARGIN.right
    const h = height - MARGIN.top - MARGIN.bottom
    return {
      x: (v) => MARGIN.left + ((fx(v) - fx(x0)) / (fx(x1) - fx(x0) || 1)) * w,
      y: (v) => MARGIN.top + h - ((fy(v) - fy(y0)) / (fy(y1) - fy(y0) || 1)) * h,
    }
  }

  /** The points between x0 and x1 and one on each side. */
  function visible(points, x0, x1) {
    let a = 0
    let b = points.length
    while (a < points.length && points[a][0] < x0) a++
    while (b > 0 && points[b - 1][0] > x1) b--
    return points.slice(Math.max(0, a - 1), Math.min(points.length, b + 1))
  }

  const r1 = (v) => Math.round(v * 10) / 10

  function curveSvg(curve, s, x0, x1, isSorted) {
    const points = isSorted ? visible(curve.points, x0, x1) : curve.points
    const { shape = 'line', colour: c } = curve
    if (shape === 'dots' || shape === 'crosses') {
      const size = points.length < 80 ? 6 : 3.2
      const path = points.map(([x, y]) =>
        shape === 'dots'
          ? `M${r1(s.x(x) - size / 2)} ${r1(s.y(y))}h${size}`
          : `M${r1(s.x(x) - 4)} ${r1(s.y(y) - 4)}l8 8m0 -8l-8 8`,
      )
      return `<path d="${path.join('')}" fill="none" stroke="${c}" stroke-width="${shape === 'dots' ? size : 1.7}"/>`
    }
    if (shape === 'bars') {
      return points
        .map(
          ([x, y]) =>
            `<line x1="${r1(s.x(x))}" x2="${r1(s.x(x))}" y1="${r1(s.y(0))}" y2="${r1(s.y(y))}" stroke="${c}" stroke-width="6"/>`,
        )
        .join('')
    }
    let d = ''
    points.forEach(([x, y], i) => {
      const px = r1(s.x(x))
      const py = r1(s.y(y))
      d += i === 0 ? `M${px} ${py}` : shape === 'step' ? `H${px}V${py}` : `L${px} ${py}`
    })
    if (shape === 'step' && isSorted && points.length > 0 && points.at(-1)[0] < x1) d += `H${r1(s.x(x1))}`
    const dash = curve.isReference ? ' stroke-dasharray="5 4"' : ''
    return `<path d="${d}" fill="none" stroke="${c}" stroke-width="${curve.isReference || curve.isQuiet ? 1.1 : 1.7}"${dash} stroke-linejoin="round"/>`
  }

  function axes(s, width, height, xs, ys, xText, yText) {
    const bottom = height - MARGIN.bottom
    return `<g class="axis">${ys
      .map(
        (v) =>
          `<line class="grid" x1="${MARGIN.left}" x2="${width - MARGIN.right}" y1="${r1(s.y(v))}" y2="${r1(s.y(v))}"/><text x="${MARGIN.left - 6}" y="${r1(s.y(v) + 4)}" text-anchor="end">${esc(yText(v))}</text>`,
      )
      .join(
        '',
      )}${xs.map((v) => `<line class="grid" x1="${r1(s.x(v))}" x2="${r1(s.x(v))}" y1="${bottom}" y2="${bottom + 4}"/><text x="${r1(s.x(v))}" y="${height - 5}" text-anchor="${s.x(v) > width - MARGIN.right - 20 ? 'end' : 'middle'}">${esc(xText(v))}</text>`).join('')}</g>`
  }

  let clips = 0
  function clip(width, height) {
    const id = `clip${clips++}`
    return [
      id,
      `<clipPath id="${id}"><rect x="${MARGIN.left}" y="${MARGIN.top - 2}" width="${width - MARGIN.left - MARGIN.right}" height="${height - MARGIN.top - MARGIN.bottom + 4}"/></clipPath>`,
    ]
  }

  const keyHtml = (curves) =>
    curves
      .map(
        (c, i) =>
          `<span class="key"><i style="background:${c.colour}"></i>${esc(c.name)}<output data-curve="${i}"></output></span>`,
      )
      .join('')

  function range(values, isFromZero) {
    let least = Infinity
    let most = -Infinity
    for (const v of values) {
      if (v < least) least = v
      if (v > most) most = v
    }
    if (most < least) return [0, 1]
    if (isFromZero && least > 0) least = 0
    return most === least ? [least - (isFromZero ? 0 : 1), most + 1] : [least, most + (most - least) * 0.06]
  }

  function timeChart(kind, width) {
    const figure = FIGURES[kind]()
    const curves = figure.curves.filter((c) => c.points.length > 0)
    if (curves.length === 0) return null
    const height = kind === 'time-sequence' || kind === 'window' ? 250 : 170
    const loud = curves.filter((c) => !c.isQuiet)
    const values = loud.flatMap((c) =>
      visible(c.points, view.from, view.to)
        .filter(([x]) => x >= view.from && x <= view.to)
        .map((p) => p[1]),
    )
    const [y0, y1] = range(values, figure.isFromZero)
    const s = scales(width, height, view.from, view.to, y0, y1)
    const xs = ticks(view.from, view.to, Math.max(3, width / 130))
    const ys = ticks(y0, y1, 4)
    const [id, clipPath] = clip(width, height)
    const element = document.createElement('figure')
    element.className = 'chart'
    element.style.margin = '0 0 .6rem'
    element.innerHTML =
      `<figcaption class="chart-head"><b>${esc(figure.title)}</b><span class="key">${esc(figure.y)}</span>${keyHtml(curves)}</figcaption>` +
      `<svg viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${esc(`${figure.title}: ${curves.map((c) => c.name).join(', ')} against time`)}"><defs>${clipPath}</defs>` +
      axes(s, width, height, xs, ys, (v) => timeText(v, xs[1] - xs[0]), short) +
      `<g clip-path="url(#${id})">${curves.map((c) => curveSvg(c, s, view.from, view.to, true)).join('')}</g>` +
      `<rect class="selection" y="${MARGIN.top}" height="${height - MARGIN.top - MARGIN.bottom}" width="0"/><line class="cursor" y1="${MARGIN.top}" y2="${height - MARGIN.bottom}" x1="-9" x2="-9"/></svg>`
    return { element, curves, svg: element.querySelector('svg'), outputs: [...element.querySelectorAll('output')] }
  }

  // ---- the waterfall, on the same axis

  function waterfallChart(width) {
    const list = world.transactions.filter((t) => connection < 0 || t.connection === connection)
    if (list.length === 0) return null
    const row = 24
    const height = MARGIN.top + MARGIN.bottom + list.length * row
    const s = scales(width, height, view.from, view.to, 0, 1)
    const xs = ticks(view.from, view.to, Math.max(3, width / 130))
    const [id, clipPath] = clip(width, height)
    const used = [...new Set(list.flatMap((t) => t.slices.map((x) => x.cause)))]
    const bars = list.map((t, i) => {
      const y = MARGIN.top + i * row
      const whole = { from: t.startedAt, to: t.endedAt, text: 'its packets were not kept', clause: '', cause: '' }
      const slices = (t.slices.length === 0 ? [whole] : t.slices).map((slice) => {
        const x = s.x(slice.from)
        const title = `${slice.text}${slice.clause === '' ? '' : ` (${slice.clause})`}: ${r1((slice.to - slice.from) / 1000)} ms`
        return `<rect x="${r1(x)}" y="${y + 3}" width="${r1(Math.max(0.6, s.x(slice.to) - x))}" height="${row - 8}" fill="${causeColour(slice.cause)}"><title>${esc(title)}</title></rect>`
      })
      const end = s.x(t.endedAt)
      const label = `${t.name}${t.isReused ? ' (kept)' : ''} ${r1((t.endedAt - t.startedAt) / 1000)} ms`
      const isLeft = end > width - 190
      const at = isLeft ? Math.max(MARGIN.left + 4, s.x(t.startedAt) - 6) : end + 6
      const anchor = isLeft && s.x(t.startedAt) > 230 ? 'end' : 'start'
      return `${slices.join('')}<text x="${r1(at)}" y="${y + row - 9}" text-anchor="${anchor}">${esc(label)}</text>`
    })
    const element = document.createElement('figure')
    element.className = 'chart'
    element.style.margin = '0 0 .6rem'
    element.innerHTML =
      `<figcaption class="chart-head"><b>Waterfall</b>${used.map((c) => `<span class="key"><i style="background:${causeColour(c)}"></i>${esc(data.causes[c]?.text ?? c)}</span>`).join('')}</figcaption>` +
      `<svg viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="Waterfall of ${list.length} exchanges"><defs>${clipPath}</defs>${axes(s, width, height, xs, [], (v) => timeText(v, xs[1] - xs[0]), short)}` +
      `<g clip-path="url(#${id})">${bars.join('')}</g><rect class="selection" y="${MARGIN.top}" height="${height - MARGIN.top - MARGIN.bottom}" width="0"/><line class="cursor" y1="${MARGIN.top}" y2="${height - MARGIN.bottom}" x1="-9" x2="-9"/></svg>`
    return { element, curves: [], svg: element.querySelector('svg'), outputs: [] }
  }

  // ---- the ladder: time runs down, packets run across

  const MOST_RUNGS = 150

  function ladder() {
    const rows = world.packets
      .map((p, i) => ({ p, i }))
      .filter(
        ({ p }) =>
          isIn(p[P.conn]) &&
          Math.max(p[P.sent], p[P.there]) >= view.from &&
          (p[P.sent] < 0 ? p[P.there] : p[P.sent]) <= view.to,
      )
    const shown = rows.slice(0, MOST_RUNGS)
    if (shown.length === 0) return null
    const names = world.hosts.filter((name) => shown.some(({ p }) => p[P.from] === name || p[P.to] === name))
    const room = (host.clientWidth || 900) - 20
    const left = room < 600 ? 64 : 120
    const gap = Math.max(room < 600 ? 300 : 420, (room - 2 * left) / Math.max(1, names.length - 1))
    const width = left + gap * Math.max(1, names.length - 1) + left
    const x = (name) => left + gap * Math.max(0, names.indexOf(name))
    const events = shown.flatMap(({ p, i }) => [
      ...(p[P.sent] >= 0 ? [{ at: p[P.sent], i, isSent: true }] : []),
      ...(p[P.there] >= 0 ? [{ at: p[P.there], i, isSent: false }] : []),
    ])
    events.sort((a, b) => a.at - b.at || a.i - b.i)
    const place = new Map()
    let y = 34
    let last = events[0]?.at ?? 0
    const stops = []
    for (const event of events) {
      const pause = event.at - last
      if (pause > 0) y += Math.min(44, 4 + 5 * Math.log2(1 + pause / 1000))
      y += 15
      place.set(`${event.i}${event.isSent ? 's' : 'r'}`, y)
      stops.push([event.at, y])
      last = event.at
    }
    const height = y + 24
    const yAt = (at) => {
      let k = 0
      while (k < stops.length - 1 && stops[k + 1][0] < at) k++
      const [a, b] = [stops[k], stops[Math.min(k + 1, stops.length - 1)]]
      return b[0] > a[0] ? a[1] + ((Math.min(Math.max(at, a[0]), b[0]) - a[0]) / (b[0] - a[0])) * (b[1] - a[1]) : a[1]
    }
    const holds = holdBars(names, x, yAt, stops)
    const arrows = shown.map(({ p, i }) => rung(p, i, place, x, names))
    const element = document.createElement('div')
    element.innerHTML =
      `<h3>Packets${rows.length > shown.length || world.omitted > 0 ? `: the first ${shown.length} of ${rows.length + world.omitted} in view` : ''}</h3>` +
      `<div class="ladder" tabindex="0" role="listbox" aria-label="Packets: arrow keys pick one"><svg viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">` +
      `<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" fill="context-stroke"/></marker></defs>` +
      names
        .map(
          (name) =>
            `<line class="life" x1="${x(name)}" x2="${x(name)}" y1="26" y2="${height - 6}"/><text x="${x(name)}" y="16" text-anchor="middle" style="font-weight:700;font-size:13px">${esc(name)}</text>`,
        )
        .join('') +
      `${holds}${arrows.join('')}</svg></div>`
    return element
  }

  function holdBars(names, x, yAt, stops) {
    const first = stops[0]?.[0] ?? 0
    const last = stops.at(-1)?.[0] ?? 0
    const bars = []
    for (const [ci, c] of world.connections.entries()) {
      if (!isIn(ci)) continue
      for (const end of c.ends) {
        const side = names.indexOf(end.host) === 0 ? -1 : 1
        for (const [from, to, reason, text, clause] of [...end.holds, ...end.ackHolds]) {
          if (to - from < 1000 || to < first || from > last || reason === 'handshake') continue
          const y1 = yAt(from)
          const y2 = yAt(to)
          const at = x(end.host) + (side < 0 ? -9 : 3)
          const title = `${text}${clause === '' ? '' : ` (${clause})`}: ${r1((to - from) / 1000)} ms`
          const label =
            y2 - y1 > 11
              ? `<text class="hold-text" x="${at + (side < 0 ? -4 : 10)}" y="${r1((y1 + y2) / 2 + 4)}" text-anchor="${side < 0 ? 'end' : 'start'}">${esc(`${reason} ${r1((to - from) / 1000)} ms`)}</text>`
              : ''
          bars.push(
            `<g><title>${esc(title)}</title><rect class="hold" x="${at}" y="${r1(y1)}" width="6" height="${r1(Math.max(2, y2 - y1))}" fill="${HOLD_COLOURS[reason] ?? 'var(--c4)'}"/>${label}</g>`,
          )
        }
      }
    }
    return bars.slice(0, 120).join('')
  }

  function rung(p, i, place, x, names) {
    const isStray = p[P.sent] < 0
    const isGone = p[P.there] < 0
    const y1 = place.get(`${i}s`) ?? place.get(`${i}r`)
    const y2 = place.get(`${i}r`) ?? y1 + 8
    const a = x(p[P.from])
    const b = x(p[P.to])
    const isBack = names.indexOf(p[P.from]) > names.indexOf(p[P.to])
    const startX = isStray ? (a + b) / 2 : a
    const endX = isGone ? a + (b - a) * 0.62 : b
    const text = `${p[P.line].replace(/,? ?options \[[^\]]*\]/, '').replace(/, win \d+/, '')}${p[P.http] === '' ? '' : `: ${p[P.http]}`}${p[P.fate] === '' ? '' : `  ✗ ${p[P.fate]}`}`
    const cross = isGone && p[P.fate] !== '' ? `<path class="lost" d="M${endX - 5} ${y2 - 5}l10 10m0 -10l-10 10"/>` : ''
    const classes = [
      'packet',
      isBack ? 'back' : '',
      p[P.again] ? 'again' : '',
      isGone && p[P.fate] !== '' ? 'gone' : '',
      picked === i ? 'picked' : '',
    ].join(' ')
    const most = Math.max(20, Math.floor(Math.abs(b - a) / 6.8))
    const label = text.length > most ? `${text.slice(0, most - 1)}…` : text
    // Along the arrow, so that labels of packets that leave together lie side by side.
    const middle = `${r1((startX + endX) / 2)} ${r1((y1 + y2) / 2)}`
    const angle = (Math.atan((y2 - y1) / (endX - startX || 1)) * 180) / Math.PI
    const time = (at, end, y) =>
      `<text class="time" x="${x(end) + (names.indexOf(end) === 0 ? -14 : 14)}" y="${r1(y + 4)}" text-anchor="${names.indexOf(end) === 0 ? 'end' : 'start'}">${(at / 1000).toFixed(1)}</text>`
    return (
      `<g class="${classes}" data-packet="${i}"><title>${esc(p[P.line])}</title><line class="arrow" x1="${startX}" y1="${r1(y1)}" x2="${r1(endX)}" y2="${r1(y2)}" marker-end="url(#tip)"/>${cross}` +
      `<text transform="translate(${middle}) rotate(${r1(angle)})" y="-3" text-anchor="middle">${esc(label)}</text>${isStray ? '' : time(p[P.sent], p[P.from], y1)}</g>`
    )
  }

  // ---- putting it together

  let charts = []
  const stage = document.createElement('div')

  function draw() {
    stage.textContent = ''
    const box = document.createElement('div')
    box.className = 'charts'
    box.tabIndex = 0
    box.setAttribute('role', 'group')
    box.setAttribute('aria-label', 'Plots on one time axis: arrow keys move, + and - zoom, 0 shows all')
    const width = Math.max(300, (host.clientWidth || 900) - 22)
    charts = data.figures
      .filter((kind) => kind !== 'ladder')
      .map((kind) => (kind === 'waterfall' ? waterfallChart(width) : timeChart(kind, width)))
      .filter((chart) => chart !== null)
    for (const { element } of charts) box.append(element)
    if (charts.length > 0) {
      stage.append(box)
      listen(box)
    }
    if (data.figures.includes('ladder')) {
      const rungs = ladder()
      if (rungs !== null) {
        stage.append(rungs)
        listenLadder(rungs)
      }
    }
  }

  const timeAt = (svg, clientX) => {
    const rect = svg.getBoundingClientRect()
    const width = svg.viewBox.baseVal.width
    const x = ((clientX - rect.left) / rect.width) * width
    const share = (x - MARGIN.left) / (width - MARGIN.left - MARGIN.right)
    return view.from + Math.min(1, Math.max(0, share)) * (view.to - view.from)
  }

  const xAt = (svg, at) =>
    MARGIN.left + ((at - view.from) / (view.to - view.from)) * (svg.viewBox.baseVal.width - MARGIN.left - MARGIN.right)

  /** The cursor in all charts, with the values of the curves there. */
  function point(at) {
    for (const { svg, curves, outputs } of charts) {
      const cursor = svg.querySelector('.cursor')
      const x = at === null ? -9 : xAt(svg, at)
      cursor.setAttribute('x1', x)
      cursor.setAttribute('x2', x)
      curves.forEach((curve, i) => {
        let value = null
        if (at !== null) for (const p of curve.points) if (p[0] <= at) value = p[1]
        if (outputs[i]) outputs[i].textContent = value === null || curve.shape === 'crosses' ? '' : short(value)
      })
    }
  }

  function zoom(from, to) {
    const all = limits()
    const least = (all.to - all.from) / 1e5
    const span = Math.min(Math.max(to - from, least), all.to - all.from)
    const start = Math.min(Math.max(from, all.from), all.to - span)
    view = { from: start, to: start + span }
    draw()
  }

  function listen(box) {
    let dragFrom = null
    const select = (a, b) => {
      for (const { svg } of charts) {
        const rect = svg.querySelector('.selection')
        const [x1, x2] = [xAt(svg, Math.min(a, b)), xAt(svg, Math.max(a, b))]
        rect.setAttribute('x', x1)
        rect.setAttribute('width', x2 - x1)
      }
    }
    box.addEventListener('pointermove', (event) => {
      const svg = event.target.closest('.chart svg')
      if (svg === null) return
      const at = timeAt(svg, event.clientX)
      point(at)
      if (dragFrom !== null) select(dragFrom, at)
      else pickNear(at)
    })
    box.addEventListener('pointerleave', () => {
      point(null)
      pick(-1)
    })
    box.addEventListener('pointerdown', (event) => {
      const svg = event.target.closest('.chart svg')
      if (svg !== null && event.button === 0) dragFrom = timeAt(svg, event.clientX)
    })
    box.addEventListener('pointerup', (event) => {
      const svg = event.target.closest('.chart svg') ?? charts[0].svg
      const from = dragFrom
      dragFrom = null
      if (from === null) return
      const to = timeAt(svg, event.clientX)
      if (Math.abs(xAt(svg, to) - xAt(svg, from)) > 6) zoom(Math.min(from, to), Math.max(from, to))
    })
    box.addEventListener('dblclick', () => zoom(limits().from, limits().to))
    box.addEventListener('keydown', (event) => {
      const span = view.to - view.from
      const moves = {
        ArrowLeft: [-0.2, -0.2],
        ArrowRight: [0.2, 0.2],
        '+': [0.2, -0.2],
        '=': [0.2, -0.2],
        '-': [-0.35, 0.35],
        0: [-1e9, 1e9],
      }
      const move = moves[event.key]
      if (move === undefined || event.ctrlKey || event.metaKey) return
      event.preventDefault()
      zoom(view.from + move[0] * span, view.to + move[1] * span)
      stage.querySelector('.charts')?.focus()
    })
  }

  /** Marks the packet that left last before an instant. */
  function pickNear(at) {
    let near = -1
    for (const [i, p] of world.packets.entries()) if (p[P.sent] >= 0 && p[P.sent] <= at && isIn(p[P.conn])) near = i
    pick(near)
  }

  function pick(index) {
    picked = index
    for (const g of stage.querySelectorAll('.ladder g.packet'))
      g.classList.toggle('picked', Number(g.dataset.packet) === index)
  }

  function listenLadder(element) {
    const box = element.querySelector('.ladder')
    const choose = (index, isFar) => {
      const p = world.packets[index]
      if (p === undefined) return
      pick(index)
      point(p[P.sent] < 0 ? p[P.there] : p[P.sent])
      const g = box.querySelector(`[data-packet="${index}"]`)
      if (isFar) g?.scrollIntoView({ block: 'nearest' })
      tip.textContent = isFar
        ? ''
        : `${(p[P.sent] / 1000).toFixed(3)} ms ${p[P.from]} → ${p[P.to]} ${p[P.there] < 0 ? '' : `(${(p[P.there] / 1000).toFixed(3)} ms)`} ${p[P.line]} ${p[P.fate]}`
    }
    box.addEventListener('pointermove', (event) => {
      const g = event.target.closest('g.packet')
      if (g === null) return
      choose(Number(g.dataset.packet), false)
      tip.style.left = `${Math.min(event.clientX + 12, innerWidth - 300)}px`
      tip.style.top = `${event.clientY + 16}px`
    })
    box.addEventListener('pointerleave', () => {
      tip.textContent = ''
      point(null)
    })
    box.addEventListener('keydown', (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
      if (step === undefined) return
      event.preventDefault()
      const all = [...box.querySelectorAll('g.packet')].map((g) => Number(g.dataset.packet))
      const at = all.indexOf(picked)
      choose(all[Math.min(all.length - 1, Math.max(0, at + step))], true)
    })
  }

  function button(text, isOn, onClick) {
    const element = document.createElement('button')
    element.type = 'button'
    element.textContent = text
    if (isOn !== null) element.setAttribute('aria-selected', String(isOn))
    element.addEventListener('click', onClick)
    return element
  }

  function showWorld(next) {
    world = next
    connection = -1
    picked = -1
    view = limits()
    host.textContent = ''
    const title = document.createElement('h2')
    title.textContent = data.worlds.length > 1 ? 'Looking inside' : `Looking inside: ${world.label}`
    host.append(title)
    if (data.worlds.length > 1) {
      const bar = document.createElement('div')
      bar.className = 'bar'
      bar.setAttribute('role', 'tablist')
      for (const each of data.worlds) bar.append(button(each.label, each === world, () => showWorld(each)))
      host.append(bar)
    }
    const tools = document.createElement('div')
    tools.className = 'bar'
    if (world.connections.length > 1) {
      const choice = document.createElement('select')
      choice.setAttribute('aria-label', 'Connection')
      choice.innerHTML = `<option value="-1">all ${world.connections.length} connections</option>${world.connections
        .slice(0, 100)
        .map((c, i) => `<option value="${i}">${esc(c.name)}</option>`)
        .join('')}`
      choice.addEventListener('change', () => {
        connection = Number(choice.value)
        draw()
      })
      tools.append(choice)
    }
    tools.append(button('Show all', null, () => zoom(limits().from, limits().to)))
    const hint = document.createElement('span')
    hint.className = 'hint'
    hint.textContent = 'Drag to zoom, double click to show all; arrows, + and - with the keyboard.'
    tools.append(hint)
    host.append(tools)
    if (world.faults.length > 0) {
      const note = document.createElement('p')
      note.className = 'doc'
      note.textContent = `Faults: ${world.faults.join('; ')}`
      host.append(note)
    }
    host.append(stage)
    draw()
  }

  // ---- plots of the experiment's own

  function ownPlot(plot, width) {
    const height = 260
    const curves = plot.curves.map((c, i) => ({ ...c, colour: c.isReference ? 'var(--c7)' : colour(i) }))
    const all = curves.flatMap((c) => c.points)
    const positive = (list, isLog) => (isLog ? list.filter((v) => v > 0) : list)
    const xsAll = positive(
      all.map((p) => p[0]),
      plot.logX,
    )
    const ysAll = positive(
      all.map((p) => p[1]),
      plot.logY,
    )
    const [x0, x1] = [Math.min(...xsAll), Math.max(...xsAll)]
    const [y0, y1] = plot.logY ? [Math.min(...ysAll) / 1.3, Math.max(...ysAll) * 1.3] : range(ysAll, true)
    const s = scales(width, height, x0, x1, y0, y1, plot.logX, plot.logY)
    const decades = (a, b) => {
      const list = []
      for (let d = Math.floor(Math.log10(a)); d <= Math.ceil(Math.log10(b)); d++)
        for (const m of [1, 2, 5]) if (m * 10 ** d >= a * 0.999 && m * 10 ** d <= b * 1.001) list.push(m * 10 ** d)
      return list
    }
    const xs = plot.logX ? decades(x0, x1) : ticks(x0, x1, Math.max(3, width / 110))
    const ys = plot.logY ? decades(y0, y1) : ticks(y0, y1, 5)
    const marks = curves.map((c) => {
      const line = curveSvg(c, s, x0, x1, false)
      const isSparse = c.points.length <= 40 && !c.isReference && (c.shape ?? 'line') === 'line'
      return isSparse
        ? line +
            c.points
              .map(
                ([x, y]) =>
                  `<circle cx="${r1(s.x(x))}" cy="${r1(s.y(y))}" r="3" fill="${c.colour}"><title>${esc(`${c.name}: ${x}, ${y}`)}</title></circle>`,
              )
              .join('')
        : line
    })
    return (
      `<figure class="chart" style="margin:0"><figcaption class="chart-head"><b>${esc(plot.title)}</b>${keyHtml(curves)}</figcaption>` +
      `<svg viewBox="0 0 ${width} ${height + 16}" role="img" aria-label="${esc(`${plot.title}: ${plot.y} against ${plot.x}`)}">${axes(s, width, height, xs, ys, short, short)}${marks.join('')}` +
      `<text x="${width - MARGIN.right}" y="${height + 12}" text-anchor="end" style="fill:var(--soft);font-size:11px">${esc(plot.x)} →   (up: ${esc(plot.y)})</text></svg></figure>`
    )
  }

  function drawPlots() {
    const section = document.getElementById('plots')
    if (data.plots.length === 0) return
    const width = Math.max(
      320,
      Math.min(
        section.clientWidth || 900,
        data.plots.length > 1 && section.clientWidth > 900 ? section.clientWidth / 2 - 20 : 900,
      ) - 22,
    )
    section.innerHTML = `<h2>Plots</h2><div class="pair">${data.plots.map((plot) => `<div class="charts">${ownPlot(plot, width)}</div>`).join('')}</div>`
  }

  document.body.append(tip)
  drawPlots()
  if (world !== undefined) showWorld(world)
  let width = innerWidth
  addEventListener('resize', () => {
    if (innerWidth === width) return
    width = innerWidth
    drawPlots()
    if (world !== undefined) draw()
  })
})()
