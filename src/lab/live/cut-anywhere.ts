// E28 live: a program on Linux cuts the connection at every eighth byte of a request and of its answer.

import { claimAtMost, claimTrue, figure } from '../claims.ts'
import { cutAnywhere, cutEverywhere, isIdempotent, METHODS } from '../experiments/cut-anywhere.ts'
import { defineLive } from '../live.ts'

interface Values extends Record<string, string> {
  readonly how: string
}

const STEP = 8

/** E28 against Linux. */
export const cutAnywhereLive = defineLive<Values>(cutAnywhere, {}, async (context, { how }) => {
  const worlds = context.linux('server')
  const tallies = await Promise.all(
    METHODS.map(async (method) => ({ method, ...(await cutEverywhere(worlds, method, how === 'reset', STEP)) })),
  )
  const fates = tallies.map(({ method, inRequest, beforeAnswer, inAnswer }) => ({
    method,
    parts: [inRequest, beforeAnswer, inAnswer],
  }))
  const of = (wanted: boolean) => tallies.filter(({ method }) => isIdempotent(method) === wanted)
  const most = (wanted: boolean): number =>
    Math.max(
      ...fates.filter(({ method }) => isIdempotent(method) === wanted).flatMap(({ parts }) => parts.map((p) => p.most)),
    )
  const names = (wanted: boolean): string =>
    of(wanted)
      .map(({ method }) => method)
      .join(', ')
  const cuts = fates.flatMap(({ parts }) => parts).reduce((sum, part) => sum + part.cuts, 0)
  return {
    claims: [
      claimTrue(
        {
          text: `${names(true)}: cut before anything of the answer was seen, they are asked again and answered.`,
          because: 'RFC 9112 §9.3.1',
          beside: [figure('cuts', cuts)],
        },
        of(true).every(({ inRequest, beforeAnswer }) => inRequest.failed + beforeAnswer.failed === 0),
      ),
      claimTrue(
        {
          text: `${names(false)}: wherever they are cut, they fail and are not asked again.`,
          because: 'RFC 9112 §9.3.1: only its user may decide',
        },
        of(false).every(({ inRequest, beforeAnswer }) => inRequest.answered + beforeAnswer.answered === 0),
      ),
      claimTrue(
        { text: 'Within the answer nothing is asked again.', because: 'some of it was seen (RFC 9112 §9.3.1)' },
        tallies.every(({ inAnswer }) => inAnswer.answered === 0 && inAnswer.effects === inAnswer.cuts),
      ),
      claimAtMost(
        { text: 'No POST and no PATCH is done twice.', because: 'nobody asks again but the user', unit: 'times' },
        most(false),
        1,
      ),
      claimAtMost(
        { text: 'And nothing is done three times.', because: 'once again, and no more', unit: 'times' },
        most(true),
        2,
      ),
    ],
    tables: [
      {
        title: `Cuts at every ${STEP}th byte, and what became of them`,
        columns: ['method', 'cut', 'cuts', 'answered', 'failed', 'times done'],
        rows: fates.flatMap(({ method, parts }) =>
          ['in the request', 'before the answer', 'within the answer'].map((where, i) => {
            const { cuts, answered, failed, effects } = parts[i]
            return [method, where, cuts, answered, failed, effects]
          }),
        ),
      },
    ],
  }
})
