// Well-known HTTP servers for the tests of our client, each in the foreground with a configuration of its own, ended by its process id.
// All serve the same folder; each tells which connection its requests came over, in a log of one line for each request.

import { readFileSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { Background, curl } from './helpers.ts'

/** A server that runs. */
export interface WebServer {
  readonly name: string
  readonly port: number
  /** Requests on each connection, as its log has them; null when it keeps no such log. */
  connections(): Promise<number[] | null>
  stop(): Promise<unknown>
}

interface Place {
  readonly path: string
  readonly file: (name: string) => string
}

/** Most requests that nginx and apache2 take on a connection. */
export const MOST_REQUESTS = 20

async function until(server: Background, port: number): Promise<Background> {
  return server.until(async () => (await curl('-o', '/dev/null', `http://127.0.0.1:${port}/a.txt`)).code === 0)
}

/** Counts lines by their first word, less the one that saw whether the server was ready. */
function counted(file: string): () => Promise<number[]> {
  return async () => {
    await new Promise((resolve) => setTimeout(resolve, 100)) // logs are written behind the answer
    const counts = new Map<string, number>()
    for (const line of readFileSync(file, 'utf8').split('\n')) {
      const [connection, client] = line.split(' ')
      if (client === '10.77.0.2') counts.set(connection, (counts.get(connection) ?? 0) + 1)
    }
    return [...counts.values()]
  }
}

/** nginx: static files, gzip, ranges, uploads, and an end to each connection after MOST_REQUESTS. */
export async function startNginx({ path, file }: Place, port: number): Promise<WebServer> {
  const config = `daemon off; pid ${file('nginx.pid')}; error_log ${file('nginx.err')}; worker_processes 1;
    events { worker_connections 256; }
    http {
      log_format one '$connection $remote_addr $status "$request"'; access_log ${file('nginx.log')} one;
      client_body_temp_path ${path}/b; proxy_temp_path ${path}/p; fastcgi_temp_path ${path}/f; uwsgi_temp_path ${path}/u; scgi_temp_path ${path}/s;
      types { text/plain txt; text/html html; } default_type application/octet-stream;
      gzip on; gzip_min_length 1; gzip_types text/plain; gzip_http_version 1.1;
      keepalive_requests ${MOST_REQUESTS};
      server {
        listen 0.0.0.0:${port}; root ${path};
        location = /chunked.html { ssi on; }
        location /put/ { dav_methods PUT DELETE; client_max_body_size 10m; }
      }
    }`
  writeFileSync(file('nginx.conf'), config)
  const args = ['-e', file('nginx.err'), '-p', path, '-c', file('nginx.conf'), '-g', 'user root;']
  const server = await until(new Background('nginx', args), port)
  return { name: 'nginx', port, connections: counted(file('nginx.log')), stop: () => server.stop() }
}

/** apache2: the same with DAV left out; it announces its limits in Keep-Alive. */
export async function startApache({ path, file }: Place, port: number): Promise<WebServer> {
  const modules = 'mpm_event authz_core mime deflate filter unixd log_config logio'.split(' ')
  const builtIn = new Set(['unixd', 'log_config', 'logio'])
  const loads = modules
    .filter((name) => !builtIn.has(name))
    .map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`)
  const config = `ServerRoot ${path}\nServerName test\nListen 0.0.0.0:${port}\nPidFile ${file('apache.pid')}\nErrorLog ${file('apache.err')}
DefaultRuntimeDir ${path}\nMutex posixsem\n${loads.join('\n')}\nUser nobody\nGroup nogroup
TypesConfig /dev/null\nAddType text/plain .txt\nDocumentRoot ${path}\n<Directory />\nRequire all granted\n</Directory>
AddOutputFilterByType DEFLATE text/plain\nKeepAlive On\nMaxKeepAliveRequests ${MOST_REQUESTS}\nKeepAliveTimeout 5
LogFormat "%{remote}p %a %>s" one\nCustomLog ${file('apache.log')} one\nStartServers 1\nThreadsPerChild 32\nMaxRequestWorkers 32`
  writeFileSync(file('apache.conf'), `${config}\n`)
  const server = await until(new Background('apache2', ['-f', file('apache.conf'), '-DFOREGROUND']), port)
  return { name: 'apache2', port, connections: counted(file('apache.log')), stop: () => server.stop() }
}

/** lighttpd: static files. */
export async function startLighttpd({ path, file }: Place, port: number): Promise<WebServer> {
  const config = `server.document-root = "${path}"\nserver.port = ${port}\nserver.bind = "0.0.0.0"\nserver.errorlog = "${file('lighttpd.err')}"
server.max-keep-alive-requests = 1000\nmimetype.assign = (".txt" => "text/plain", "" => "application/octet-stream")\n`
  writeFileSync(file('lighttpd.conf'), config)
  const server = await until(new Background('lighttpd', ['-D', '-f', file('lighttpd.conf')]), port)
  const stop = async (): Promise<unknown> => server.stop('SIGINT')
  return { name: 'lighttpd', port, connections: async () => null, stop }
}

/** haproxy before another server. */
export async function startHaproxy({ file }: Place, port: number, behind: number): Promise<WebServer> {
  const config = `global\n  maxconn 200\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 10s\n  timeout server 10s
  timeout http-keep-alive 3s\nfrontend front\n  bind 0.0.0.0:${port}\n  default_backend back\nbackend back\n  server one 127.0.0.1:${behind}\n`
  writeFileSync(file('haproxy.conf'), config)
  const server = await until(new Background('haproxy', ['-db', '-f', file('haproxy.conf')]), port)
  return { name: 'haproxy', port, connections: async () => null, stop: () => server.stop() }
}

/** varnish before another server. */
export async function startVarnish({ path, file }: Place, port: number, behind: number): Promise<WebServer> {
  writeFileSync(file('site.vcl'), `vcl 4.1;\nbackend default { .host = "127.0.0.1"; .port = "${behind}"; }\n`)
  const args = [
    '-F',
    '-j',
    'none',
    '-a',
    `0.0.0.0:${port}`,
    '-f',
    file('site.vcl'),
    '-n',
    `${path}/varnish`,
    '-s',
    'malloc,16m',
  ]
  const server = await until(new Background('varnishd', args), port)
  return { name: 'varnish', port, connections: async () => null, stop: () => server.stop() }
}

/** squid: a forward proxy. */
export async function startSquid({ path, file }: Place, port: number): Promise<WebServer> {
  const config = `http_port ${port}\nhttp_access allow all\ncache deny all\npid_filename none\ncoredump_dir ${path}\nvisible_hostname test
access_log none\ncache_log /dev/null\ncache_store_log none\nshutdown_lifetime 0 seconds\nnetdb_filename none
pinger_enable off\nmax_filedescriptors 1024\nlogfile_rotate 0\n`
  writeFileSync(file('squid.conf'), config)
  const server = new Background('squid', ['-N', '-n', `t${process.pid}`, '-f', file('squid.conf')])
  await server.until(async () => (await curl('-o', '/dev/null', `http://127.0.0.1:${port}/x`)).code === 0)
  return { name: 'squid', port, connections: async () => null, stop: () => server.stop() }
}

/** Node: what the others cannot be made to do. */
export async function startNode(
  port: number,
  routes: http.RequestListener,
): Promise<WebServer & { server: http.Server }> {
  const counts = new Map<number, number>()
  const server = http.createServer((request, response) => {
    const remote = request.socket.remotePort ?? 0
    counts.set(remote, (counts.get(remote) ?? 0) + 1)
    routes(request, response)
  })
  await new Promise<void>((resolve) => server.listen(port, '0.0.0.0', resolve))
  const stop = async (): Promise<void> => {
    server.closeAllConnections()
    server.close()
  }
  return { name: 'Node', port, server, connections: async () => [...counts.values()], stop }
}
