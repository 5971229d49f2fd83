import type { PlaceOrderRequest } from '@placeorder/protocol'
import { Queue, QueueEvents } from 'bullmq'
import { JOB_ID_PREFIX, WAIT_MS } from './peer.ts'

/**
 * The naive baseline: one BullMQ job per order, awaited until it is finished, as BullMQ's manual
 * shows it. The job keeps the order and its outcome for ever, since a paymentId is used once.
 */
export async function openNaive(
  redisUrl: string,
): Promise<(order: PlaceOrderRequest) => Promise<string>> {
  const { hostname: host, port } = new URL(redisUrl)
  const connection = { host, port: Number(port) }
  const queue = new Queue('orders', { connection })
  const events = new QueueEvents('orders', { connection })
  // Each awaited job adds listeners to both.
  queue.setMaxListeners(0)
  events.setMaxListeners(0)
  await Promise.all([queue.waitUntilReady(), events.waitUntilReady()])
  return async (order) => {
    const jobId = `${JOB_ID_PREFIX}${order.paymentId}`
    const job = await queue.add('order', order, { jobId })
    return String(await job.waitUntilFinished(events, WAIT_MS))
  }
}
