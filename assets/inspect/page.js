// The script of the live page: takes what the server tells and draws it. Owns: everything on the page. Keeps a bounded past.

{
  const $ = (id) => document.getElementById(id)
  const DATA = JSON.parse($('data').textContent)
  const MOST_POINTS = 6000
  const RUNGS = 40
  const connections = new Map() // by number: { row, windows, packets, moves }
  let own = -1
  let chosen = -1 // 0 and less: whichever sends most
  let shown = -1
  let source = null
  let firstAt = -1
  let isDue = false
  const cost = []

  const of = (id) => {
    let one = connections.get(id)
    if (one === undefined)
      connections.set(id, (one = { row: null, windows: [], packets: [], why: '', again: '', bytes: 0 }))
    return one
  }
  const push = (list, item) => {
    list.push(item)
    if (list.length > MOST_POINTS) list.splice(0, list.length - MOST_POINTS)
  }
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()
  const amount = (n) =>
    n >= 1e6
      ? `${(n / 1e6).toFixed(n >= 1e7 ? 0 : 1)} MB`
      : n >= 1e3
        ? `${(n / 1e3).toFixed(n >= 1e4 ? 0 : 1)} kB`
        : `${Math.round(n)} B`

  // ---------------------------------------------------------------- what the server tells

  function listen() {
    source = new EventSource('events')
    source.addEventListener('hello', (message) => {
      const hello = JSON.parse(message.data)
      own = hello.you
      connections.clear()
      $('list').replaceChildren()
      chosen = shown = -1
      $('status').textContent = `live, version ${hello.version}`
      setKnobs(hello.knobs)
    })
    source.addEventListener('knobs', (message) => setKnobs(JSON.parse(message.data)))
    source.addEventListener('telling', (message) => take(JSON.parse(message.data)))
    source.onerror = () => {
      $('status').textContent = 'the connection is lost; trying again …'
    }
  }

  function take({ at, names, sockets, packets, events, omitted }) {
    if (firstAt < 0) firstAt = packets.length > 0 ? packets[0][1] : at
    for (const [id, name] of names) of(id).name = name
    for (const packet of packets) {
      const one = of(packet[0])
      push(one.packets, packet)
      one.bytes += packet[6]
      if (packet[0] === own) cost.push([packet[1], packet[6] + 52])
    }
    for (const [id, when, kind, ...rest] of events) {
      const one = of(id)
      if (kind === 'window') push(one.windows, [when, ...rest])
      else if (kind === 'state') moved(id, rest[0], rest[1])
      else if (kind === 'retransmit') one.again = `Sent again: ${rest[2]}.`
    }
    while (cost.length > 0 && cost[0][0] < at - 5e6) cost.shift()
    const span = Math.max(1, Math.min(5, (at - firstAt) / 1e6))
    const bytes = cost.reduce((sum, [, size]) => sum + size, 0)
    const left = omitted.packets + omitted.events
    $('cost').textContent =
      `this page adds ${(cost.length / span).toFixed(1)} packets/s, ${amount(bytes / span)}/s` +
      (left > 0 ? `; ${left} packets and events not told` : '')
    rows(sockets)
    for (const [id, one] of connections) {
      one.bytes *= 0.9
      if (one.row === null && at - (one.packets.at(-1)?.[1] ?? 0) > 10e6 && id !== shown) connections.delete(id)
    }
    if (connections.has(chosen)) shown = chosen
    else {
      const busy = [...connections].filter(([id]) => id !== own).sort((a, b) => b[1].bytes - a[1].bytes)[0]
      if (busy !== undefined && busy[1].bytes > 100 && busy[1].packets.length > 4) {
        if (!connections.has(shown) || shown === own || busy[1].bytes > 2 * of(shown).bytes) shown = busy[0]
      } else if (!connections.has(shown)) shown = own
    }
    lightStates(sockets)
    later()
    document.body.dataset.tellings = String(Number(document.body.dataset.tellings ?? 0) + 1)
  }

  // ---------------------------------------------------------------- sockets

  function rows(sockets) {
    const present = new Set(sockets.map(({ id }) => id))
    for (const [id, one] of connections) {
      if (one.row === null || present.has(id)) continue
      one.row.remove()
      one.row = null
    }
    for (const { id, state, local, remote, queues, ss, why } of sockets) {
      const one = of(id)
      if (one.row === null) {
        one.row = document.createElement('label')
        one.row.className = 'socket'
        const radio = Object.assign(document.createElement('input'), {
          type: 'radio',
          name: 'socket',
          value: String(id),
        })
        radio.disabled = remote === null
        radio.addEventListener('change', () => {
          chosen = id
          shown = id
          later()
        })
        const name = `${local} ${remote === null ? '' : `◀▶ ${remote}`}`
        one.row.append(radio, ' ', document.createElement('b'), ` ${name} `, document.createElement('span'))
        if (id === own)
          one.row.append(
            Object.assign(document.createElement('span'), { className: 'mine', textContent: ' this page' }),
          )
        one.row.append(document.createElement('code'))
        $('list').append(one.row)
      }
      one.state = state
      one.why = why ?? ''
      one.name = `${local} ◀▶ ${remote ?? '*'}`
      const [, name, queue] = one.row.querySelectorAll('input, b, span:not(.mine)')
      if (name.textContent !== state) name.textContent = state
      const waiting = queues[0] + queues[1] > 0 ? `Recv-Q ${queues[0]} Send-Q ${queues[1]}` : ''
      if (queue.textContent !== waiting) queue.textContent = waiting
      if (ss !== undefined) one.row.querySelector('code').textContent = ss
    }
  }

  // ---------------------------------------------------------------- figure 5

  const PLACES = {
    CLOSED: [280, 20],
    LISTEN: [280, 90],
    'SYN-RECEIVED': [75, 150],
    'SYN-SENT': [485, 150],
    ESTABLISHED: [280, 210],
    'FIN-WAIT-1': [75, 270],
    'CLOSE-WAIT': [485, 270],
    'FIN-WAIT-2': [75, 345],
    CLOSING: [280, 345],
    'LAST-ACK': [485, 345],
    'TIME-WAIT': [280, 415],
    end: [485, 415],
  }
  // What ss calls otherwise.
  const NAMES = { ESTAB: 'ESTABLISHED', 'SYN-RECV': 'SYN-RECEIVED' }
  const nodes = new Map()
  const edges = new Map()
  const svg = (name, attributes, text = '') => {
    const element = document.createElementNS('http://www.w3.org/2000/svg', name)
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
    element.textContent = text
    return element
  }

  function drawStates() {
    const marker = svg('marker', {
      id: 'head',
      viewBox: '0 0 8 8',
      refX: 7,
      refY: 4,
      markerWidth: 8,
      markerHeight: 8,
      markerUnits: 'userSpaceOnUse',
      orient: 'auto',
    })
    marker.append(svg('path', { d: 'M0 0L8 4L0 8z' }))
    $('states').append(marker)
    const figure = {
      ...DATA.transitions,
      CLOSED: { LISTEN: 'passive OPEN', 'SYN-SENT': DATA.transitions.CLOSED['SYN-SENT'] },
    }
    for (const [from, ways] of Object.entries(figure)) {
      for (const [to, by] of Object.entries(ways)) {
        if (from === 'SYN-RECEIVED' && to === 'CLOSE-WAIT') continue // not in the figure
        const edge = svg('g', {})
        const [x1, y1, x2, y2] = between(PLACES[from], PLACES[to === 'CLOSED' ? 'end' : to])
        edge.append(
          svg('title', {}, `${from} → ${to}: ${by}`),
          svg('line', { x1, y1, x2, y2, 'marker-end': 'url(#head)' }),
        )
        edges.set(`${from} ${to}`, { edge, by })
        $('states').append(edge)
      }
    }
    for (const [state, [x, y]] of Object.entries(PLACES)) {
      const node = svg('g', {})
      const text = state === 'end' ? 'CLOSED' : state
      node.append(
        svg('rect', { x: x - 66, y: y - 15, width: 132, height: 30, rx: 6 }),
        svg('text', { x, y: y + 4.5 }, text),
      )
      nodes.set(state, node)
      $('states').append(node)
    }
  }

  /** From the edge of one box to that of another. */
  function between([x1, y1], [x2, y2]) {
    const dx = x2 - x1
    const dy = y2 - y1
    const cut = Math.min(68 / Math.abs(dx || 1e-9), 17 / Math.abs(dy || 1e-9))
    return [x1 + dx * cut, y1 + dy * cut, x2 - dx * cut, y2 - dy * cut]
  }

  function lightStates(sockets) {
    const counts = new Map()
    for (const { state } of sockets) counts.set(NAMES[state] ?? state, (counts.get(NAMES[state] ?? state) ?? 0) + 1)
    const at = NAMES[of(shown).state] ?? of(shown).state
    for (const [state, node] of nodes) {
      const count = counts.get(state) ?? 0
      node.setAttribute('class', `${count > 0 ? 'lit' : ''} ${count > 0 && state === at ? 'chosen' : ''}`)
      if (state !== 'end') node.lastChild.textContent = count > 0 ? `${state} ${count}` : state
    }
  }

  function moved(id, from, to) {
    const passive = from === 'CLOSED' && to === 'SYN-RECEIVED' ? edges.get('LISTEN SYN-RECEIVED') : undefined
    const found = passive ?? edges.get(`${from} ${to}`)
    const by = found?.by ?? 'reset, abort or timeout'
    $('last').textContent = `Last: ${passive ? 'LISTEN' : from} → ${to}, ${by}${id === own ? ' (this page)' : ''}`
    if (found === undefined) return
    found.edge.setAttribute('class', 'fresh')
    clearTimeout(found.timer)
    found.timer = setTimeout(() => found.edge.setAttribute('class', ''), 1500)
  }

  // ---------------------------------------------------------------- plots

  function later() {
    if (isDue) return
    isDue = true
    requestAnimationFrame(() => {
      isDue = false
      draw()
    })
  }

  /** The last stretch without a pause of a second in which there was text; [0, a second] when there was none. */
  function span({ windows, packets }) {
    const marks = [...windows.map(([at]) => [at, 0]), ...packets.map((p) => [p[1], p[6]])].sort((a, b) => a[0] - b[0])
    let [first, last, text] = [-1, -1, 0]
    let found = [0, 1e6]
    for (const [at, bytes] of marks) {
      if (at - last >= 1e6) {
        first = at
        text = 0
      }
      last = at
      text += bytes
      if (text > 0 || found[1] === 1e6) found = [first, Math.max(last, first + 1000)]
    }
    return found
  }

  function axes(id, [from, to], least, most, unit) {
    const canvas = $(id)
    const ratio = window.devicePixelRatio || 1
    const { clientWidth: width, clientHeight: height } = canvas
    if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio)
    if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio)
    const pen = canvas.getContext('2d')
    pen.setTransform(ratio, 0, 0, ratio, 0, 0)
    pen.clearRect(0, 0, width, height)
    const box = { left: 58, right: width - 10, top: 8, bottom: height - 22 }
    const x = (at) => box.left + ((at - from) / (to - from)) * (box.right - box.left)
    const y = (value) => box.bottom - ((value - least) / Math.max(1, most - least)) * (box.bottom - box.top)
    pen.font = '11px system-ui, sans-serif'
    pen.fillStyle = css('--soft')
    pen.strokeStyle = css('--line')
    pen.lineWidth = 1
    pen.textAlign = 'right'
    pen.textBaseline = 'middle'
    for (const value of ticks(least, most, 4)) {
      pen.beginPath()
      pen.moveTo(box.left, y(value))
      pen.lineTo(box.right, y(value))
      pen.stroke()
      pen.fillText(unit(value), box.left - 5, y(value))
    }
    pen.textAlign = 'center'
    pen.textBaseline = 'top'
    for (const time of ticks(0, to - from, width > 500 ? 8 : 4)) {
      const at = x(from + time)
      if (at > box.right - 12) continue
      pen.fillText(
        to - from >= 2e6 ? `${+(time / 1e6).toFixed(2)} s` : `${+(time / 1e3).toFixed(2)} ms`,
        at,
        box.bottom + 5,
      )
    }
    return { pen, x, y, box }
  }

  function ticks(least, most, count) {
    const rough = Math.max(1e-9, most - least) / count
    const power = 10 ** Math.floor(Math.log10(rough))
    const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough)
    const values = []
    for (let value = Math.ceil(least / step) * step; value <= most; value += step) values.push(value)
    return values
  }

  function steps(pen, points, x, y, right) {
    pen.beginPath()
    let last = -1
    for (const [at, value] of points) {
      if (last < 0) pen.moveTo(x(at), y(value))
      else {
        pen.lineTo(x(at), last)
        pen.lineTo(x(at), y(value))
      }
      last = y(value)
    }
    if (last >= 0) pen.lineTo(right, last)
    pen.stroke()
  }

  function draw() {
    const one = of(shown)
    $('shown').textContent = `${one.name ?? '(none yet)'}${shown === own ? ', this page’s own' : ''}`
    $('why').textContent = [one.why === '' ? '' : `Waits: ${one.why}.`, one.again].join(' ')
    for (const radio of document.querySelectorAll('input[name=socket]')) radio.checked = Number(radio.value) === shown
    const range = span(one)
    drawWindows(one, range)
    drawSequence(one, range)
    drawLadder()
  }

  function drawWindows({ windows }, range) {
    const inside = windows.filter(([at]) => at >= range[0] && at <= range[1])
    const before = windows.filter(([at]) => at < range[0]).at(-1)
    if (before !== undefined) inside.unshift([range[0], ...before.slice(1)])
    const most = 1.1 * Math.max(1500, ...inside.map(([, cwnd, , , inFlight]) => Math.max(cwnd, inFlight)))
    const { pen, x, y, box } = axes('windows', range, 0, most, amount)
    const curve = (colour, index, dash, width) => {
      pen.strokeStyle = css(colour)
      pen.lineWidth = width
      pen.setLineDash(dash)
      const points = inside.filter((w) => w[index] >= 0).map((w) => [w[0], Math.min(w[index], most * 1.2)])
      steps(pen, points, x, y, box.right)
    }
    pen.save()
    pen.beginPath()
    pen.rect(box.left, box.top, box.right - box.left, box.bottom - box.top + 2)
    pen.clip()
    curve('--c3', 3, [2, 3], 1.2)
    curve('--c2', 2, [6, 4], 1.5)
    curve('--c1', 4, [], 1.5)
    curve('--c0', 1, [], 2)
    pen.restore()
  }

  function drawSequence({ packets }, range) {
    const inside = packets.filter(([, at]) => at >= range[0] && at <= range[1])
    const sum = (way) => inside.reduce((bytes, p) => bytes + (p[2] === way ? p[6] : 0), 0)
    const way = sum(1) >= sum(0) ? 1 : 0
    const text = inside.filter((p) => p[2] === way && p[6] > 0)
    const acks = inside.filter((p) => p[2] !== way && p[4] >= 0)
    const ends = [...text.map((p) => p[3] + p[6]), ...acks.map((p) => p[4])]
    const starts = [...text.map((p) => p[3]), ...acks.map((p) => p[4])]
    const least = starts.reduce((a, b) => Math.min(a, b), ends.length > 0 ? Infinity : 0)
    const most = ends.reduce((a, b) => Math.max(a, b), least + 1)
    const { pen, x, y, box } = axes('sequence', range, least, most, amount)
    pen.strokeStyle = css('--c1')
    pen.lineWidth = 1.5
    let highest = -1
    const rising = acks.filter((p) => p[4] > highest && (highest = p[4]) >= 0).map((p) => [p[1], p[4]])
    steps(pen, rising, x, y, box.right)
    for (const isAgain of [0, 1]) {
      pen.strokeStyle = css(isAgain ? '--c4' : '--c0')
      pen.lineWidth = isAgain ? 4 : 2.5
      pen.beginPath()
      for (const [, at, , seq, , , length, , again] of text) {
        if (again !== isAgain) continue
        const top = Math.min(y(seq + length), y(seq) - 2)
        pen.moveTo(x(at), y(seq))
        pen.lineTo(x(at), top)
      }
      pen.stroke()
    }
  }

  // ---------------------------------------------------------------- the ladder

  function drawLadder() {
    const which = document.querySelector('input[name=which]:checked').value
    const { packets } = of(which === 'own' ? own : shown)
    const items = packets.slice(-RUNGS).map(([, at, way, seq, ack, window, length, flags, again, options]) => {
      const item = document.createElement('li')
      item.className = way === 1 ? 'out' : 'in'
      const time = Object.assign(document.createElement('time'), { textContent: ((at - firstAt) / 1e6).toFixed(4) })
      const parts = [`[${flags}]`]
      if (length > 0) parts.push(`seq ${seq}:${seq + length}`)
      else if (/[SFR]/.test(flags)) parts.push(`seq ${seq}`)
      if (ack >= 0) parts.push(`ack ${ack}`)
      parts.push(`win ${window}`)
      if (options !== '') parts.push(`[${options}]`)
      if (length > 0) parts.push(`${length} bytes`)
      const text = parts.join(' ')
      const rung = Object.assign(document.createElement('span'), { className: 'rung', title: text, textContent: text })
      if (again)
        rung.append(Object.assign(document.createElement('span'), { className: 'again', textContent: ' again' }))
      item.append(time, rung)
      return item
    })
    $('ladder').replaceChildren(...items)
  }

  // ---------------------------------------------------------------- knobs

  function setKnobs(knobs) {
    for (const [name, value] of Object.entries(knobs)) {
      const input = $(name)
      if (input.type === 'checkbox') input.checked = value
      else {
        if (input.tagName === 'SELECT' && ![...input.options].some((option) => option.value === String(value)))
          input.append(new Option(String(value), String(value)))
        input.value = String(value)
      }
    }
    label()
  }

  function label() {
    document.querySelector('output[for=loss]').textContent = `${$('loss').value} %`
    document.querySelector('output[for=delay]').textContent = `${$('delay').value} ms`
  }

  $('knobs').addEventListener('input', label)
  $('knobs').addEventListener('submit', (event) => event.preventDefault())
  $('knobs').addEventListener('change', async ({ target }) => {
    const text = target.value
    const value = target.type === 'checkbox' ? target.checked : target.name === 'congestion' ? text : JSON.parse(text)
    try {
      const answer = await fetch('knobs', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ [target.name]: value }),
      })
      $('status').textContent = answer.ok ? `${target.name}: ${text === 'on' ? value : text}` : await answer.text()
    } catch {
      $('status').textContent = 'the server did not answer'
    }
  })

  for (const button of document.querySelectorAll('[data-bytes]')) {
    button.addEventListener('click', async () => {
      const begun = performance.now()
      const tell = (text) => {
        $('fetched').textContent = text
      }
      try {
        tell('…')
        const answer = await fetch(`bytes?n=${button.dataset.bytes}`)
        let bytes = 0
        const reader = answer.body.getReader()
        for (let part = await reader.read(); !part.done; part = await reader.read()) bytes += part.value.length
        const ms = performance.now() - begun
        tell(`${amount(bytes)} in ${ms.toFixed(0)} ms, ${((bytes * 8) / ms / 1000).toFixed(1)} Mbit/s`)
      } catch {
        tell('it broke off')
      }
    })
  }

  function pause() {
    const isPaused = source !== null
    if (isPaused) {
      source.close()
      source = null
      $('status').textContent = 'paused: the server gathers nothing for this page'
    } else listen()
    $('pause').setAttribute('aria-pressed', String(isPaused))
    $('pause').textContent = isPaused ? 'Go on' : 'Pause'
  }
  $('pause').addEventListener('click', pause)
  addEventListener('keydown', ({ key, target, ctrlKey, metaKey, altKey }) => {
    if (key === 'p' && !ctrlKey && !metaKey && !altKey && target.tagName !== 'SELECT') pause()
  })
  for (const radio of document.querySelectorAll('input[name=which]')) radio.addEventListener('change', later)
  addEventListener('resize', later)
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', later)
  for (const name of DATA.congestion) $('congestion').append(new Option(name, name))
  drawStates()
  label()
  listen()
}
