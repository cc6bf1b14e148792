// The server of the demonstration: our HTTP over sockets of our TCP.

import { HttpServer } from '../http/index.ts'
import type { DirectServer, Host } from '../net/index.ts'
import { demoSite } from './demo-page.ts'

/** Serves the page on port 80 of a host until the server is closed. */
export function serveDemo(host: Host): DirectServer {
  const site = demoSite()
  const http = new HttpServer({
    scheduler: host.scheduler,
    serverName: 'tunstack',
    handler: (request) => {
      const resource = site.get(request.path)
      if (resource === undefined) return { status: 404, body: 'not here\n' }
      return { status: 200, headers: { 'content-type': resource.type }, body: resource.body }
    },
  })
  return host.listenStreams({ port: 80, tcp: { nagle: false } }, (stream) => http.handleConnection(stream))
}
