// docs/differences-from-linux.md: made from what the test holds.

import { KNOWN } from './known.ts'
import { SCENARIOS } from './run.ts'

/** The whole page. */
export function differencesPage(): string {
  const rows = KNOWN.map(({ name, linux, ours, why }) => `| ${[name, linux, ours, why].join(' | ')} |`)
  return `# Differences from Linux

${SCENARIOS.length} scenarios (\`test/beside-linux\`) are run against this stack in virtual time and against the Linux kernel (6.18, cubic) behind a TUN
device, with the same scripted peer on the other side, which reacts to what it is sent. Compared are all packets of the side under test
(flags, numbers, options, SACK edges, whether the window is closed, ECN), the results of calls, and pauses: the same within 25 ms, or a
factor of 1.5. ${KNOWN.length} of them come out differently, and the test holds exactly these.

\`\`\`
npm run build && sudo npm run beside-linux          # the table; a part of a name as an argument: that scenario, side by side
\`\`\`

| scenario | Linux | this stack | who is right |
| --- | --- | --- | --- |
${rows.join('\n')}

Not compared: how large windows are (buffers are counted differently), the values of timestamps, initial sequence numbers, the order in
which segments and acknowledgements of one burst meet. Proportional rate reduction counts octets here (RFC 9937 §6) and segments in Linux,
so within a burst a segment may leave an acknowledgement earlier or later.
`
}
