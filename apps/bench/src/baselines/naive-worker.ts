import { PlaceOrderRequest } from '@placeorder/protocol'
import { Worker } from 'bullmq'
import { serve } from '../test-bed/serve.ts'
import { openDecideOne } from './decide-one.ts'

const redisUrl = process.env.REDIS_URL ?? ''
const decideOne = await openDecideOne(redisUrl, process.env.POLICY_FILE ?? '')
const { hostname: host, port } = new URL(redisUrl)
const worker = new Worker(
  'orders',
  async ({ data, timestamp }) => decideOne(PlaceOrderRequest.parse(data), timestamp),
  { connection: { host, port: Number(port) }, concurrency: Number(process.env.CONCURRENCY ?? 64) },
)
worker.on('error', (error) => console.error(error))
await worker.waitUntilReady()
serve({})
