// E30 live: our graceful close against a slow, a silent and a rude program on Linux.

import { MILLISECOND } from '../../base/time.ts'
import { claimExact, claimWithin, figure } from '../claims.ts'
import { converse, gracefulClose, OURS, THEIRS } from '../experiments/graceful-close.ts'
import { defineLive } from '../live.ts'
import { inMs } from '../measure.ts'

interface Values extends Record<string, number> {
  readonly timeout: number
}

/** Between the four parts that a slow peer says. */
const PAUSE = 150 * MILLISECOND

/** E30 against Linux. */
export const gracefulCloseLive = defineLive<Values>(
  gracefulClose,
  { timeout: { default: '2s', range: ['1500ms', '10s'] } },
  async (context, { timeout }) => {
    const worlds = context.linux('peer')
    const [slow, silent, rude, abrupt] = await Promise.all([
      converse(worlds, 'slow', true, timeout, PAUSE),
      converse(worlds, 'silent', true, timeout, PAUSE),
      converse(worlds, 'rude', true, timeout, PAUSE),
      converse(worlds, 'slow', false, timeout, PAUSE),
    ])
    const unit = 'bytes'
    return {
      claims: [
        claimExact(
          {
            text: 'A slow program on Linux gets all of ours, and we get all of its.',
            because: 'the input stays open until its FIN (RFC 9293 §3.6)',
            unit,
          },
          `${slow.delivered} and ${slow.received}`,
          `${OURS} and ${THEIRS}`,
        ),
        claimExact(
          {
            text: 'A silent and a rude one have all of ours too.',
            because: 'our FIN comes last, and a reset only answers it',
            unit,
            beside: [figure('ended', `${silent.how}, ${rude.how}`)],
          },
          `${silent.delivered} and ${rude.delivered}`,
          `${OURS} and ${OURS}`,
        ),
        claimWithin(
          { text: 'Our timer ends the wait for the silent one.', because: 'the time given', unit: 'ms' },
          inMs(silent.tookUs),
          inMs(timeout),
          100,
        ),
        claimExact(
          { text: 'How each of them ended.', because: 'FIN, our timer, Linux’s reset' },
          [slow, silent, rude].map(({ how }) => how).join(', '),
          'by itself, forced, reset',
        ),
        claimExact(
          {
            text: 'An abrupt close loses text in both directions.',
            because: 'RFC 9293 §3.10.5: ABORT drops what was not sent',
            beside: [figure('delivered', abrupt.delivered, unit), figure('of', OURS, unit)],
          },
          abrupt.delivered < OURS && abrupt.received < THEIRS ? 'lost' : 'nothing lost',
          'lost',
        ),
      ],
      why: [
        'A program on Linux that was reset may still read what had arrived: the abrupt close loses what was not sent, and nothing more.',
      ],
    }
  },
)
