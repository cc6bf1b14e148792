import { describe, expect, test } from 'vitest'
import { AF_INET, Desk, O_NONBLOCK, SOL_SOCKET, STREAM } from './desk.ts'

describe('the life of a connection', () => {
  test('a listener answers SYN with the options and the window that Linux has', () => {
    const desk = new Desk()
    desk.listening()
    desk.in('S 0 win 32792 <mss 1000,sackOK,TS val 100 ecr 0,wscale 7>')
    desk.out('S. 0 ack 1 win 65160 <mss 1460,sackOK,TS ecr 100,wscale 7>')
  })

  test('without timestamps the window of SYN,ACK is a multiple of 1460', () => {
    const desk = new Desk()
    desk.listening()
    desk.in('S 0 win 32792 <mss 1000,sackOK,wscale 7>')
    desk.out('S. 0 ack 1 win 64240 <mss 1460,sackOK,wscale 7>')
  })

  test('accepts, writes, reads and closes', async () => {
    const desk = new Desk()
    const fd = desk.accepted()
    expect(fd).toBe(4)
    expect(desk.call('write', fd, null, 1000)).toBe(1000)
    desk.out('P. 1:1001 ack 1')
    desk.in('. 1 ack 1001 win 257')
    desk.in('P. 1:501 ack 1001 win 257')
    desk.out('. 1001 ack 501')
    expect(desk.call('read', fd, null, 1000)).toBe(500)
    expect(desk.call('close', fd)).toBe(0)
    desk.out('F. 1001 ack 501')
    desk.in('F. 501 ack 1002 win 257')
    desk.out('. 1002 ack 502')
    desk.quiet()
  })

  test('a blocking connect waits for the SYN,ACK', async () => {
    const desk = new Desk()
    const fd = desk.call('socket', AF_INET, STREAM, 6) as number
    const call = desk.start('connect', fd, null, null)
    expect(call.outcome).toBeNull()
    desk.out('S 0 win 64240 <mss 1460,sackOK,TS ecr 0,wscale 7>')
    await desk.wait(100)
    desk.in('S. 0 ack 1 win 5792 <mss 1460>')
    expect(call.outcome?.value).toBe(0)
    expect(call.endedAt).toBe(100_000)
    desk.out('. 1 ack 1 win 64240')
  })

  test('a blocking read waits for text, a blocking accept for a connection', async () => {
    const desk = new Desk()
    const listener = desk.listening()
    const accepting = desk.start('accept', listener, null, null)
    desk.in('S 0 win 32792 <mss 1000>')
    desk.out('S. 0 ack 1')
    desk.in('. 1 ack 1 win 32792')
    expect(accepting.outcome?.value).toBe(4)
    const reading = desk.start('read', 4, null, 100)
    expect(reading.outcome).toBeNull()
    await desk.wait(50)
    desk.in('P. 1:51 ack 1')
    expect(reading.outcome?.value).toBe(50)
    expect(reading.endedAt).toBe(50_000)
  })

  test('a refused connect tells ECONNREFUSED, once', () => {
    const desk = new Desk()
    const fd = desk.call('socket', AF_INET, STREAM, 6) as number
    desk.call('fcntl', fd, 4, O_NONBLOCK)
    expect(desk.call('connect', fd, null, null)).toBe('EINPROGRESS')
    desk.next()
    expect(desk.call('connect', fd, null, null)).toBe('EALREADY')
    desk.in('R. 0 ack 1')
    expect(desk.output(3, 'getsockopt', fd, SOL_SOCKET, 4, [0], [4])).toEqual([111])
    expect(desk.output(3, 'getsockopt', fd, SOL_SOCKET, 4, [0], [4])).toEqual([0])
  })

  test('a reset is told by the next read, then there is the end', () => {
    const desk = new Desk()
    const fd = desk.accepted()
    desk.in('R 1')
    expect(desk.call('read', fd, null, 10)).toBe('ECONNRESET')
    expect(desk.call('read', fd, null, 10)).toBe(0)
    expect(desk.call('write', fd, null, 10)).toBe('EPIPE')
  })
})
