import { PlaceOrderRequest } from '@placeorder/protocol'
import { Worker } from 'bullmq'
import { serveWorker } from './serve-worker.ts'

await serveWorker(async ({ redisUrl, decideOne, concurrency }) => {
  const { hostname: host, port } = new URL(redisUrl)
  const worker = new Worker(
    'orders',
    async ({ data, timestamp }) => decideOne(PlaceOrderRequest.parse(data), timestamp),
    { connection: { host, port: Number(port) }, concurrency },
  )
  worker.on('error', (error) => console.error(error))
  await worker.waitUntilReady()
  return worker
})
