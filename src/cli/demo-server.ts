// The server of the demonstration: our HTTP over sockets of our TCP.

import { HttpServer } from '../http/index.ts'
import type { Host, TunServer } from '../net/index.ts'
import { demoSite } from './demo-page.ts'

/** Serves the page on port 80 of a host until the server is closed. */
export async function serveDemo(host: Host): Promise<TunServer> {
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
  const server = host.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => http.handleConnection(socket))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(80, resolve)
  })
  return server
}
