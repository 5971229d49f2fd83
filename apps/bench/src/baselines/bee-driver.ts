import type { PlaceOrderRequest } from '@placeorder/protocol'
import BeeQueue from 'bee-queue'
import { serveClosedLoop } from '../drivers/closed-loop.ts'

// A peer whose producers can wait for a result: bee-queue, which tells them over Redis's publish and subscribe.

const { hostname: host, port } = new URL(process.env.REDIS_URL ?? '')
const queue = new BeeQueue<PlaceOrderRequest>('orders', {
  redis: { host, port: Number(port) },
  isWorker: false,
  removeOnSuccess: false,
})
await queue.ready()

serveClosedLoop(async (order) => {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const job = queue.createJob(order).setId(order.paymentId)
  job.on('succeeded', (outcome) => resolve(String(outcome)))
  job.on('failed', reject)
  await job.save()
  return promise
})
