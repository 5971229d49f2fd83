import type { PlaceOrderRequest } from '@placeorder/protocol'
import BeeQueue from 'bee-queue'
import { JOB_ID_PREFIX, WAIT_MS } from './peer.ts'

/**
 * bee-queue, whose workers report results over Redis publish/subscribe: a job an order. As its
 * manual advises, this producer processes nothing and stores no jobs, and ids are no numbers.
 */
export async function openBee(
  redisUrl: string,
): Promise<(order: PlaceOrderRequest) => Promise<string>> {
  const { hostname: host, port } = new URL(redisUrl)
  const queue = new BeeQueue<PlaceOrderRequest>('orders', {
    redis: { host, port: Number(port) },
    isWorker: false,
    storeJobs: false,
  })
  queue.on('error', (error) => console.error(error))
  // A job's own event is lost if the job ends before `save` returns; the queue's events are not.
  const waiting = new Map<string, PromiseWithResolvers<string>>()
  queue.on('job succeeded', (id, outcome) => waiting.get(id)?.resolve(String(outcome)))
  queue.on('job failed', (id, error) => waiting.get(id)?.reject(error))
  await queue.ready()
  return async (order) => {
    const id = `${JOB_ID_PREFIX}${order.paymentId}`
    const outcome = Promise.withResolvers<string>()
    waiting.set(id, outcome)
    const timer = setTimeout(() => outcome.reject(new Error(`${id} timed out`)), WAIT_MS)
    try {
      await queue.createJob(order).setId(id).save()
      return await outcome.promise
    } finally {
      clearTimeout(timer)
      waiting.delete(id)
    }
  }
}
