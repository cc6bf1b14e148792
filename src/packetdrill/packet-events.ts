// The packets of a script: in at their times, and those that went out against those that were to.
// Owns: one script packet in several live ones and the other way round, and when it is due. Does not own: the fields
// (packet-match.ts), the wire (wire.ts).

import type { Micros } from '../base/time.ts'
import { FLAG } from '../tcp/header.ts'
import type { PacketAction, ScriptEvent, TcpSpec } from './ast.ts'
import type { Flow } from './flow.ts'
import type { LivePacket, LiveTcp } from './live-packet.ts'
import { compareIcmp, compareIp, formatLive, formatSpec, matchTcp } from './packet-match.ts'
import { formatTime } from './report.ts'
import type { Due, RunContext } from './run-context.ts'
import { isPureAck } from './semantic.ts'

/** Runs the packets of a script. */
export class PacketEvents {
  readonly #run: RunContext

  constructor(run: RunContext) {
    this.#run = run
  }

  /** A packet of the script goes in at its time. */
  async inject(event: ScriptEvent, action: PacketAction): Promise<void> {
    await this.#run.waitFor(event)
    let bytes: Uint8Array
    try {
      bytes = this.#run.wire.build(action)
    } catch (error) {
      this.#run.fail(error instanceof Error ? error.message : String(error))
    }
    this.#run.log(formatSpec(action))
    this.#run.recorder?.event(event, this.#run.now)
    if (action.body.kind === 'tcp') this.#run.owed.delivered(action.body)
    this.#run.target.deliver(bytes)
    await this.#run.advance(this.#run.now)
  }

  /** The next packet that goes out is the one that the script expects, at its time. */
  async expect(event: ScriptEvent, action: PacketAction): Promise<void> {
    const due = this.#run.dueOf(event)
    const isAny = event.time.kind === 'any'
    const latest = due.to + (isAny ? 0 : this.#run.tolerance(due.to))
    let rest: PacketAction = action
    for (;;) {
      const live = await this.#next(latest)
      if (this.#isCovered(rest, live)) return
      if (live === null) {
        if (this.#run.settings.semantic && this.#run.owed.defer(rest, event, this.#run.now)) return
        this.#run.fail(`no packet by ${formatTime(due.to)}`, formatSpec(rest), 'no packet')
      }
      const flow = this.#flowFor(live, rest)
      const left = this.#judge(live, rest, flow)
      if (left === 'skipped') continue
      if (!isAny) this.#checkTime(live, due, action, flow)
      this.#run.wire.pending.shift()
      if (left === null) return
      rest = left
    }
  }

  /** In the semantic way of matching: the script's acknowledgement has come, or comes with something else. */
  #isCovered({ body }: PacketAction, live: LivePacket | null): boolean {
    if (!this.#run.settings.semantic || body.kind !== 'tcp') return false
    return this.#run.owed.isCovered(body, live?.body.kind === 'tcp' ? live.body : null)
  }

  /** The next packet that was sent, which stays where it is; null when there is none by `latest`. */
  async #next(latest: Micros): Promise<LivePacket | null> {
    this.#run.collect()
    if (this.#run.wire.pending.length === 0) await this.#run.step(this.#run.now)
    while (this.#run.wire.pending.length === 0) {
      if (this.#run.now >= latest) return null
      await this.#run.step(latest)
    }
    return this.#run.wire.pending[0]
  }

  #flowFor(live: LivePacket, action: PacketAction): Flow | null {
    if (live.body.kind !== 'tcp' && (live.body.kind !== 'udp' || action.body.kind !== 'udp')) return null
    const owner = this.#run.wire.ownerOf(live.body)
    const expected = this.#run.wire.flowOf(action)
    if (owner === expected) return owner
    const { sourcePort, destinationPort } = live.body
    return this.#run.fail(
      `a packet of another connection (${sourcePort} > ${destinationPort})`,
      formatSpec(action),
      formatLive(live, owner),
    )
  }

  /** Compares the next packet; null when all of the script's packet is there, else what is still to come. */
  #judge(live: LivePacket, action: PacketAction, flow: Flow | null): PacketAction | null | 'skipped' {
    const { body } = live
    const spec = action.body
    if (body.kind !== 'tcp' || spec.kind !== 'tcp' || flow === null) {
      const differences = this.#compareOther(live, action)
      return differences.length === 0 ? null : this.#differ(live, action, flow, differences)
    }
    this.#learn(body, spec, flow)
    const rules = this.#run.settings
    const match = matchTcp(
      spec,
      body,
      flow,
      rules,
      live.segmentBytes || this.#run.wire.segmentBytes(body),
      live.isPushFree,
    )
    const ip = compareIp(action.ip, live)
    if (match.kind === 'different' || ip.length > 0) {
      if (rules.semantic && this.#run.owed.passOver(body, spec)) {
        this.#run.wire.pending.shift()
        return 'skipped'
      }
      return this.#differ(live, action, flow, [...(match.kind === 'different' ? match.differences : []), ...ip])
    }
    this.#run.owed.saw(body)
    if (match.kind === 'surplus') {
      const tail: LiveTcp = { ...body, seq: (body.seq + match.octets) % 2 ** 32, length: body.length - match.octets }
      this.#run.wire.pending.splice(1, 0, { ...live, body: tail })
    }
    if (match.kind !== 'piece') return null
    const octets = match.octets
    const flags = spec.flags & ~FLAG.CWR
    return { ...action, body: { ...spec, flags, seq: (spec.seq + octets) % 2 ** 32, length: spec.length - octets } }
  }

  /** Datagrams and messages of ICMP; differences in words. */
  #compareOther(live: LivePacket, { body: spec, ip }: PacketAction): string[] {
    const { body } = live
    const differences = compareIp(ip, live)
    if (body.kind !== spec.kind) return [`it is ${body.kind}, not ${spec.kind}`]
    if (body.kind === 'icmp' && spec.kind === 'icmp')
      differences.push(...compareIcmp(spec, body, this.#run.settings.ends.family))
    if (body.kind === 'udp' && spec.kind === 'udp' && body.length !== spec.length)
      differences.push(`length ${body.length}, expected ${spec.length}`)
    return differences
  }

  /** What a packet shows of the numbers of the side under test. */
  #learn(body: LiveTcp, spec: TcpSpec, flow: Flow): void {
    if ((body.flags & FLAG.SYN) !== 0 && (spec.flags & FLAG.SYN) !== 0) flow.learnIsn(body.seq, spec.seq)
    const wanted = spec.options?.find(({ kind }) => kind === 'TS')
    const found = body.options.find(({ kind }) => kind === 'TS')
    if (wanted?.kind === 'TS' && found?.kind === 'TS' && wanted.val >= 0) flow.learnStamp(found.val, wanted.val)
  }

  #differ(live: LivePacket, action: PacketAction, flow: Flow | null, differences: readonly string[]): never {
    return this.#run.fail(`in a packet: ${differences.join('; ')}`, formatSpec(action), formatLive(live, flow))
  }

  #checkTime(live: LivePacket, due: Due, action: PacketAction, flow: Flow | null): void {
    if (this.#run.settings.semantic && action.body.kind === 'tcp' && isPureAck(action.body)) return
    const tolerance = this.#run.tolerance(due.to)
    if (live.at >= due.from - tolerance && live.at <= due.to + tolerance) return
    const when = due.from === due.to ? formatTime(due.from) : `${formatTime(due.from)}~${formatTime(due.to)}`
    this.#run.fail(
      `timing: expected at ${when}, sent at ${formatTime(live.at)}`,
      formatSpec(action),
      formatLive(live, flow),
    )
  }
}
