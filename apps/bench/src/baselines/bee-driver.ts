import type { PlaceOrderRequest } from '@placeorder/protocol'
import BeeQueue from 'bee-queue'
import { serveClosedLoop } from '../drivers/closed-loop.ts'

// A peer whose producers can wait for a result: bee-queue, which tells them over Redis's publish and subscribe.

const { hostname: host, port } = new URL(process.env.REDIS_URL ?? '')
const queue = new BeeQueue<PlaceOrderRequest>('orders', {
  redis: { host, port: Number(port) },
  isWorker: false,
  removeOnSuccess: false,
  storeJobs: false,
})
// A job's own events are lost when it ends before its `save` is told so; the queue's are not.
const waiting = new Map<string, PromiseWithResolvers<string>>()
queue.on('job succeeded', (id, outcome) => waiting.get(id)?.resolve(String(outcome)))
queue.on('job failed', (id, error) => waiting.get(id)?.reject(error))
await queue.ready()

serveClosedLoop(async (order) => {
  const outcome = Promise.withResolvers<string>()
  waiting.set(order.paymentId, outcome)
  try {
    await queue.createJob(order).setId(order.paymentId).save()
    return await outcome.promise
  } finally {
    waiting.delete(order.paymentId)
  }
})
