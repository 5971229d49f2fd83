import type { PlaceOrderRequest } from '@placeorder/protocol'
import BeeQueue from 'bee-queue'
import { serveClosedLoop } from '../drivers/closed-loop.ts'

// Another queue whose producers can wait for a result: bee-queue reports it over Redis
// publish/subscribe.

const { hostname: host, port } = new URL(process.env.REDIS_URL ?? '')
const queue = new BeeQueue<PlaceOrderRequest>('orders', {
  redis: { host, port: Number(port) },
  isWorker: false,
  removeOnSuccess: false,
  storeJobs: false,
})
// A job's own event is lost if the job ends before `save` returns; the queue's events are not.
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
