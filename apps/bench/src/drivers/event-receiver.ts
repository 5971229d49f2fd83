import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { z } from 'zod'
import { Latencies, quantile } from '../statistics.ts'
import { serve } from '../test-bed/serve.ts'

// The endpoint of a webhook sink. Serves listen, answer and mark.

const Batch = z.array(z.object({ id: z.string(), time: z.string() }))

/** From conclusion to delivery. Both clocks are this machine's. */
const latencies = new Latencies()
const delivered = new Set<string>()
let events = 0
let status = 200

async function receive(request: IncomingMessage): Promise<number> {
  const batch = Batch.parse(await json(request))
  if (status !== 200) return status
  const now = Date.now()
  for (const { id, time } of batch) {
    latencies.record(now - Date.parse(time))
    delivered.add(id)
  }
  events += batch.length
  return status
}

serve({
  listen: async () => {
    const server = createServer(async (request, response) => {
      response.statusCode = await receive(request)
      response.end()
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  },
  answer: (argument) => {
    status = z.number().parse(argument)
  },
  /** `p99`: since the mark before, in ms. */
  mark: () => {
    const sorted = latencies.take()
    return {
      delivered: delivered.size,
      events,
      p50: quantile(sorted, 0.5),
      p99: quantile(sorted, 0.99),
    }
  },
})
