import { PlaceOrderRequest } from '@placeorder/protocol'
import { type Job, Queue } from '@platformatic/job-queue'
import { storageOf } from './job-queue.ts'
import { serveWorker } from './serve-worker.ts'

// Without its Reaper, which queues again what a killed worker held, and reads an event or more of
// each job for that: the peer is as fast as it can be.
await serveWorker(async ({ redisUrl, decideOne, concurrency }) => {
  const queue = new Queue<unknown, string>({ storage: storageOf(redisUrl), concurrency })
  queue.on('error', (error) => console.error(error))
  queue.execute(({ payload }: Job<unknown>) =>
    decideOne(PlaceOrderRequest.parse(payload), Date.now()),
  )
  await queue.start()
  return { close: () => queue.stop() }
})
