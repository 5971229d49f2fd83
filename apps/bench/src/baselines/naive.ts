import type { PlaceOrderRequest } from '@placeorder/protocol'
import { Queue, QueueEvents } from 'bullmq'

/** How long an order's outcome is waited for (ms), as ours. */
const WAIT_MS = 10_000

/**
 * The obvious way: a job for each order, and waiting until it is finished, as BullMQ's manual shows it. The job keeps
 * the order and its outcome, for ever, since a paymentId is taken once.
 */
export async function openObvious(
  redisUrl: string,
): Promise<(order: PlaceOrderRequest) => Promise<string>> {
  const { hostname: host, port } = new URL(redisUrl)
  const connection = { host, port: Number(port) }
  const queue = new Queue('orders', { connection })
  const events = new QueueEvents('orders', { connection })
  // Each job that is waited for listens on both.
  queue.setMaxListeners(0)
  events.setMaxListeners(0)
  await Promise.all([queue.waitUntilReady(), events.waitUntilReady()])
  return async (order) => {
    // A job's id must not be a whole number.
    const job = await queue.add('order', order, { jobId: `p${order.paymentId}` })
    return String(await job.waitUntilFinished(events, WAIT_MS))
  }
}
