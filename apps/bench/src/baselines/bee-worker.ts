import { PlaceOrderRequest } from '@placeorder/protocol'
import BeeQueue from 'bee-queue'
import { serveWorker } from './serve-worker.ts'

/** How often bee-queue looks for jobs of workers that died: its default for calling them dead. */
const STALL_MS = 5_000

await serveWorker(async ({ redisUrl, decideOne, concurrency }) => {
  const { hostname: host, port } = new URL(redisUrl)
  // bee-queue's manual advises these settings for workers that need no events.
  const queue = new BeeQueue('orders', {
    redis: { host, port: Number(port) },
    getEvents: false,
    storeJobs: false,
  })
  queue.on('error', (error) => console.error(error))
  queue.process(concurrency, ({ data }) => decideOne(PlaceOrderRequest.parse(data), Date.now()))
  await queue.checkStalledJobs(STALL_MS)
  await queue.ready()
  return queue
})
