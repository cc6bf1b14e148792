// nginx as a judge of requests: a server of its own on loopback, asked with raw bytes.
// Owns: starting and stopping it, what it made of a stream. Does not own: comparing.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What nginx answered to a stream: the status of each answer, in order; and whether it closed by itself. */
export interface NginxReading {
  readonly statuses: number[]
  readonly closed: boolean
}

/** An nginx that answers 299 to every request that it can read, at once. */
export class Nginx {
  readonly #folder = mkdtempSync(join(tmpdir(), 'tunstack-nginx-'))
  readonly #port: number
  readonly #child: ChildProcess

  constructor(port: number) {
    this.#port = port
    const file = (name: string): string => join(this.#folder, name)
    writeFileSync(
      file('nginx.conf'),
      `daemon off; master_process off; pid ${file('pid')}; error_log /dev/null;
       events { worker_connections 64; }
       http {
         access_log off; keepalive_timeout 5s; client_body_temp_path ${file('body')}; proxy_temp_path ${file('proxy')};
         fastcgi_temp_path ${file('fastcgi')}; uwsgi_temp_path ${file('uwsgi')}; scgi_temp_path ${file('scgi')};
         server { listen 127.0.0.1:${port}; location / { return 299 'ok'; } }
       }`,
    )
    this.#child = spawn('nginx', ['-p', this.#folder, '-c', file('nginx.conf')], { stdio: 'ignore' })
  }

  /** Waits until it listens. */
  async ready(): Promise<void> {
    for (let tries = 0; tries < 200; tries++) {
      if ((await this.read('GET / HTTP/1.1\r\nHost: a\r\n\r\n')).statuses[0] === 299) return
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    throw new Error('nginx does not answer')
  }

  /** Sends a stream and the end of our side; reads answers to the end. */
  read(text: string): Promise<NginxReading> {
    return new Promise((resolve) => {
      let got = ''
      const socket = connect({ port: this.#port, host: '127.0.0.1' })
      const done = (): void => {
        const statuses = [...got.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]))
        resolve({ statuses, closed: true })
      }
      socket.on('data', (chunk) => {
        got += chunk.toString('latin1')
      })
      socket.on('error', () => undefined)
      socket.on('close', done)
      socket.end(Buffer.from(text, 'latin1'))
    })
  }

  /** Ends it. */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM')
    if (this.#child.exitCode === null) await new Promise((resolve) => this.#child.once('exit', resolve))
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
