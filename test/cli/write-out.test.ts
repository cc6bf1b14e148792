import { describe, expect, test } from 'vitest'
import { formatWriteOut, type TransferRecord, transferRecord, writeOutJson } from '../../src/cli/write-out.ts'

const record: TransferRecord = {
  ...transferRecord('10.77.0.1', 'GET', 3),
  urlEffective: 'http://10.77.0.1/',
  status: 200,
  httpVersion: '1.1',
  contentType: 'text/html',
  headers: [
    ['ETag', '"x"'],
    ['X-A', '1'],
  ],
  sizeDownload: 1000,
  connects: 1,
  remoteAddress: '10.77.0.1',
  remotePort: 80,
  localPort: 40000,
  nameLookupUs: 12,
  connectUs: 1234,
  startTransferUs: 2500.4,
  totalUs: 2_000_000,
}

function out(format: string, of = record): string {
  const unknown: string[] = []
  const parts = formatWriteOut(format, of, (name) => unknown.push(name))
  return (
    parts.map(({ to, text }) => (to === 'stdout' ? text : `<${text}>`)).join('') + unknown.map((u) => `?${u}`).join('')
  )
}

describe('the format of -w (curl(1), --write-out)', () => {
  test.each([
    ['%{http_code}', '200'],
    ['%{response_code} %{num_connects}', '200 1'],
    ['%{time_namelookup} %{time_connect} %{time_starttransfer}', '0.000012 0.001234 0.002500'],
    ['%{time_total} %{size_download} %{speed_download}', '2.000000 1000 500'],
    ['%{remote_ip}:%{remote_port} %{local_port}', '10.77.0.1:80 40000'],
    ['%{url} %{url_effective} %{content_type} %{urlnum}', '10.77.0.1 http://10.77.0.1/ text/html 3'],
    ['a\\nb\\tc\\rd\\\\e\\q', 'a\nb\tc\rd\\e\\q'],
    ['100%% %x %', '100% %x %'],
    ['%header{etag} %header{none}|', '"x" |'],
    ['%{nope}!', '!?nope'],
    ['%{constructor}', '?constructor'],
    ['%{stderr}e%{stdout}o', '<e>o'],
    ['%{errormsg}%{redirect_url}', ''],
    ['%{unclosed', '%{unclosed'],
    ['', ''],
  ])('%j gives %j', (format, expected) => {
    expect(out(format)).toBe(expected)
  })

  test('without an answer the code is 000 and the speed 0', () => {
    expect(out('%{http_code} %{speed_download} %{http_version}', transferRecord('x', 'GET', 0))).toBe('000 0 0')
  })

  test('%{json} holds every variable', () => {
    const all = JSON.parse(out('%{json}')) as Record<string, unknown>
    expect(all).toMatchObject({ http_code: 200, time_total: 2, remote_ip: '10.77.0.1', exitcode: 0 })
    expect(writeOutJson(record)).toBe(out('%{json}'))
  })
})
