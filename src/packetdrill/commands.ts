// Lines in backticks. Settings of the kernel's network are recognised; everything else is reported and never executed.
// Owns: recognising them. Does not own: what a setting does (a target's).

/** What a command comes to. */
export interface CommandMeaning {
  readonly settings: readonly { readonly name: string; readonly value: string }[]
  /** Parts that mean nothing here. */
  readonly ignored: readonly string[]
}

/** Reads a command of one or several lines. */
export function readCommand(text: string): CommandMeaning {
  const settings: { name: string; value: string }[] = []
  const ignored: string[] = []
  const joined = text.replace(/\\\n/g, ' ')
  for (const part of joined.split(/\n|;|&&|\|\|/)) {
    const line = part.replace(/(^|\s)#.*$/, '').trim()
    if (line === '' || line === 'true' || line === ':') continue
    const found = readSysctl(line) ?? readEcho(line) ?? readProcPairs(line) ?? readRoute(line)
    if (found === null) ignored.push(line)
    else settings.push(...found)
  }
  return { settings, ignored }
}

/** The file of commands that a line runs, as `./defaults.sh`, `. common.sh` and `sh -e setup.sh` do; '' when it runs none. */
export function commandFile(line: string): string {
  return /^(?:(?:\.|source|sh|bash|\/bin\/sh|\/bin\/bash)\s+(?:-\w+\s+)*)?([\w./-]+\.sh)(?:\s|$)/.exec(line)?.[1] ?? ''
}

const PROC = '/proc/sys/'

/** `sysctl -q -w net.ipv4.tcp_rmem="4096 87380 6291456" net.ipv4.tcp_ecn=0`. */
function readSysctl(line: string): { name: string; value: string }[] | null {
  const command = /^(?:sudo\s+)?(?:\/\S*\/)?sysctl\s+(.*)$/.exec(line)
  if (command === null) return null
  const rest = command[1].replace(/\s*\d?>+\s*(?:&\d|\S+)/g, '')
  const settings: { name: string; value: string }[] = []
  const pattern = /(?:^|\s)([A-Za-z][\w./-]*)\s*=\s*("[^"]*"|'[^']*'|[^\s"']\S*)/g
  for (const found of rest.matchAll(pattern)) {
    settings.push({ name: found[1].replaceAll('/', '.'), value: unquoted(found[2]) })
  }
  return settings.length === 0 ? null : settings
}

/** `echo 1 > /proc/sys/net/ipv4/tcp_ecn`. */
function readEcho(line: string): { name: string; value: string }[] | null {
  const found = /^echo\s+(?:-n\s+)?(.*?)\s*>\s*(\/proc\/sys\/\S+)$/.exec(line)
  if (found === null) return null
  return [{ name: found[2].slice(PROC.length).replaceAll('/', '.'), value: unquoted(found[1]) }]
}

/** `./set_sysctls.py /proc/sys/net/ipv4/tcp_ecn=0 /proc/sys/net/ipv4/tcp_rmem="4096 87380 6291456"`: any program that takes such pairs. */
function readProcPairs(line: string): { name: string; value: string }[] | null {
  if (!/^(?:sudo\s+)?(?:python\d?\s+)?\S+\s+\/proc\/sys\/\S+=/.test(line)) return null
  const settings: { name: string; value: string }[] = []
  for (const found of line.matchAll(/\/proc\/sys\/([\w./-]+)=("[^"]*"|'[^']*'|\S*)/g)) {
    settings.push({ name: found[1].replaceAll('/', '.'), value: unquoted(found[2]) })
  }
  return settings
}

/** `ip route replace 192.0.2.0/24 dev tun0 initcwnd 4 rto_min 10ms`: what a route says of the connections over it. */
function readRoute(line: string): { name: string; value: string }[] | null {
  if (!/^(?:sudo\s+)?(?:\/\S*\/)?ip\s+(?:-\d\s+|-family\s+\S+\s+)?route\s+(?:add|change|replace|append)\s/.test(line))
    return null
  const settings: { name: string; value: string }[] = []
  const pattern = /\s(initcwnd|initrwnd|rto_min|quickack|congctl|cwnd|ssthresh|features)\s+(?:lock\s+)?(\S+)/g
  for (const found of line.matchAll(pattern)) settings.push({ name: `route.${found[1]}`, value: found[2] })
  return settings.length === 0 ? null : settings
}

function unquoted(text: string): string {
  return text.replace(/^(["'])(.*)\1$/, '$2').trim()
}
