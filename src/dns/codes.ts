// The numbers of DNS and their names: types, classes, response codes, operations.
// Owns: the tables, TYPE65 and CLASS1 of RFC 3597. Does not own: what records hold (records.ts).

/** Types of records (IANA), by name. */
export const TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  SVCB: 64,
  HTTPS: 65,
  AXFR: 252,
  ANY: 255,
} as const

/** Classes (RFC 1035 §3.2.4). */
export const CLASS = { IN: 1, CH: 3, HS: 4, ANY: 255 } as const

/** Response codes (RFC 1035 §4.1.1, RFC 6891 §9). */
export const RCODE = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5, BADVERS: 16 } as const

/** Operations (RFC 1035 §4.1.1). */
export const OPCODE = { QUERY: 0, IQUERY: 1, STATUS: 2, NOTIFY: 4, UPDATE: 5 } as const

function nameIn(table: Readonly<Record<string, number>>, value: number): string | undefined {
  return Object.keys(table).find((name) => table[name] === value)
}

/** 'AAAA'; 'TYPE99' for one without a name here (RFC 3597 §5). */
export function typeName(type: number): string {
  return nameIn(TYPE, type) ?? `TYPE${type}`
}

/** The number of 'aaaa', 'TYPE28'; -1 when there is none. */
export function typeNumber(text: string): number {
  const upper = text.toUpperCase()
  const known = (TYPE as Readonly<Record<string, number>>)[upper]
  if (known !== undefined) return known
  const number = /^TYPE([0-9]{1,5})$/.exec(upper)?.[1]
  return number !== undefined && Number(number) <= 65535 ? Number(number) : -1
}

/** 'IN'; 'CLASS7' for one without a name here (RFC 3597 §5). */
export function className(value: number): string {
  return nameIn(CLASS, value) ?? `CLASS${value}`
}

/** 'NXDOMAIN'; 'RCODE23' for one without a name here. */
export function rcodeName(rcode: number): string {
  return nameIn(RCODE, rcode) ?? `RCODE${rcode}`
}

/** 'QUERY'; 'OPCODE9' for one without a name here. */
export function opcodeName(opcode: number): string {
  return nameIn(OPCODE, opcode) ?? `OPCODE${opcode}`
}
