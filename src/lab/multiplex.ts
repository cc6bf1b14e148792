// One connection on which many answers come interleaved, frame by frame: the arithmetic of HTTP/2's multiplexing, scripted.
// Owns: frames of 9 bytes and a payload, whose turn it is. Does not own: HTTP/2 itself: no HPACK, no settings, no flow control of streams;
// this only says when bytes can go. Heads are counted as so many bytes of payload.
// Read first: RFC 9113 §4.1 (frame format), §5 (streams and multiplexing).

import type { Micros } from '../base/time.ts'
import type { TunSocket } from '../net/socket.ts'
import type { World } from './world.ts'

/** Length, type, flags and stream of a frame (RFC 9113 §4.1). */
const FRAME_HEAD = 9
/** Payload of a frame here: about a segment, so that streams take turns as finely as packets do. */
const FRAME_PAYLOAD = 1400
/** A request's fields, compressed. */
const REQUEST_PAYLOAD = 40
/** An answer's fields, compressed. */
const ANSWER_HEAD = 20

/** What a stream asks for. */
export interface StreamPlan {
  readonly path: string
  readonly bytes: number
  /** How long the server thinks before the first byte. */
  readonly thinkUs: Micros
}

/** What became of a stream. */
export interface StreamEnd {
  readonly startedAt: Micros
  firstByteAt: Micros
  endedAt: Micros
}

/** Serves all streams that a connection asks for: those that have something to send take turns. */
function serveFrames(world: World, socket: TunSocket, plans: readonly StreamPlan[]): void {
  const ready: { id: number; left: number }[] = []
  let come = 0
  let asked = 0
  const fill = (): void => {
    for (let next = ready.shift(); next !== undefined; next = ready.shift()) {
      const length = Math.min(FRAME_PAYLOAD, next.left)
      const frame = new Uint8Array(FRAME_HEAD + length)
      const view = new DataView(frame.buffer)
      view.setUint16(1, length)
      view.setUint32(5, next.id)
      next.left -= length
      if (next.left > 0) ready.push(next)
      if (!socket.write(frame)) return
    }
  }
  socket.on('drain', fill)
  socket.on('data', (chunk: Uint8Array) => {
    come += chunk.length
    for (; come >= FRAME_HEAD + REQUEST_PAYLOAD; come -= FRAME_HEAD + REQUEST_PAYLOAD) {
      const id = asked++
      const begin = (): void => {
        ready.push({ id, left: ANSWER_HEAD + plans[id].bytes })
      }
      if (plans[id].thinkUs === 0) begin()
      else
        void world.sleep(plans[id].thinkUs).then(() => {
          begin()
          fill()
        })
    }
    fill()
  })
}

/** Loads a page over one connection: the first plan, and when it has come all the others at once. Must be called inside `world.run`. */
export async function loadMultiplexed(world: World, plans: readonly StreamPlan[], port: number): Promise<StreamEnd[]> {
  await world.listen('server', port, (socket) => serveFrames(world, socket, plans), { noDelay: true })
  const startedAt = world.now()
  const socket = await world.connect('client', 'server', port, { noDelay: true })
  const ends: StreamEnd[] = []
  const left = plans.map(({ bytes }) => bytes + ANSWER_HEAD)
  const ask = (): void => {
    ends.push({ startedAt: ends.length === 0 ? startedAt : world.now(), firstByteAt: -1, endedAt: -1 })
    socket.write(new Uint8Array(FRAME_HEAD + REQUEST_PAYLOAD))
  }
  let head = new Uint8Array(0)
  let id = 0
  let payload = 0
  await new Promise<void>((resolve) => {
    socket.on('data', (chunk: Uint8Array) => {
      for (let at = 0; at < chunk.length; ) {
        if (payload === 0) {
          const part = chunk.subarray(at, at + FRAME_HEAD - head.length)
          head = Uint8Array.of(...head, ...part)
          at += part.length
          if (head.length < FRAME_HEAD) break
          const view = new DataView(head.buffer)
          payload = view.getUint16(1)
          id = view.getUint32(5)
          head = new Uint8Array(0)
          if (ends[id].firstByteAt < 0) ends[id].firstByteAt = world.now()
          continue
        }
        const length = Math.min(payload, chunk.length - at)
        at += length
        payload -= length
        left[id] -= length
        if (left[id] === 0) ends[id].endedAt = world.now()
      }
      if (left[0] === 0 && ends.length === 1) for (let i = 1; i < plans.length; i++) ask()
      if (left.every((bytes) => bytes === 0)) resolve()
    })
    ask()
  })
  socket.end()
  return ends
}
