import { PlaceOrderRequest } from '@placeorder/protocol'
import BeeQueue from 'bee-queue'
import { serve } from '../test-bed/serve.ts'
import { openDecideOne } from './decide-one.ts'

const redisUrl = process.env.REDIS_URL ?? ''
const decideOne = await openDecideOne(redisUrl, process.env.POLICY_FILE ?? '')
const { hostname: host, port } = new URL(redisUrl)
// bee-queue's documentation advises these settings for workers that need no events.
const queue = new BeeQueue('orders', {
  redis: { host, port: Number(port) },
  getEvents: false,
  storeJobs: false,
  removeOnSuccess: false,
})
queue.on('error', (error) => console.error(error))
queue.process(Number(process.env.CONCURRENCY ?? 64), ({ data }) =>
  decideOne(PlaceOrderRequest.parse(data), Date.now()),
)
await queue.ready()
serve({})
