import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach } from 'vitest'

export type Received = { url: string; headers: IncomingHttpHeaders; body: string }

/** A receiver of webhooks on a port of its own, until the test ends. */
export type Receiver = {
  url: string
  port: number
  received: Received[]
  connections: () => number
}

const open: (() => Promise<void>)[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((close) => close()))
})

/** Starts a receiver; it notes what it gets, and then answers. */
export async function receive(
  answer: RequestListener = (_request, response) => void response.end(),
): Promise<Receiver> {
  const received: Received[] = []
  let connections = 0
  const server = createServer(async (request, response) => {
    const body = await text(request)
    received.push({ url: request.url ?? '', headers: request.headers, body })
    answer(request, response)
  })
  server.on('connection', () => {
    connections += 1
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  open.push(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(() => resolve()))
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/hook`, port, received, connections: () => connections }
}
