import type { PlaceOrderRequest } from '@placeorder/protocol'
import { Queue, RedisStorage } from '@platformatic/job-queue'
import { WAIT_MS } from './peer.ts'

/** How long results, and with them ids, are kept (ms). It costs the same for any time. */
const KEEP_MS = 24 * 60 * 60_000

/** Where a producer and its workers meet. */
export const storageOf = (redisUrl: string): RedisStorage => new RedisStorage({ url: redisUrl })

/** @platformatic/job-queue, made for requests that wait for their result: a job an order. */
export async function openJobQueue(
  redisUrl: string,
): Promise<(order: PlaceOrderRequest) => Promise<string>> {
  const storage = storageOf(redisUrl)
  const queue = new Queue<PlaceOrderRequest, string>({ storage, resultTTL: KEEP_MS })
  queue.on('error', (error) => console.error(error))
  await queue.start()
  return (order) => queue.enqueueAndWait(order.paymentId, order, { timeout: WAIT_MS })
}
