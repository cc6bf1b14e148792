// The server of the demonstration: our HTTP over sockets of our TCP.

import { type Handler, HttpServer } from '../http/index.ts'
import type { DirectServer, Host } from '../net/index.ts'
import { demoSite } from './demo-page.ts'
import type { Inspector } from './inspect.ts'

/** Serves the page on port 80 of a host until the server is closed, and beside it the live page when there is one. */
export function serveDemo(host: Host, inspector: Inspector | null = null): DirectServer {
  const site = demoSite()
  const page: Handler = (request) => {
    const resource = site.get(request.path)
    if (resource === undefined) return { status: 404, body: 'not here\n' }
    return { status: 200, headers: { 'content-type': resource.type }, body: resource.body }
  }
  const http = new HttpServer({
    scheduler: host.scheduler,
    serverName: 'tunstack',
    handler: inspector === null ? page : inspector.handler(page),
  })
  return host.listenStreams({ port: 80, tcp: { nagle: false } }, (stream) => {
    const { local, localPort, remote, remotePort } = stream.socket.connection
    const localAddress = local.toString()
    http.handleConnection(stream, { localAddress, localPort, remoteAddress: remote.toString(), remotePort })
  })
}
