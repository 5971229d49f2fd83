import type { PlaceOrderRequest } from '@placeorder/protocol'
import type { Outcome } from '@placeorder/store'
import { z } from 'zod'
import { serve } from '../test-bed/serve.ts'
import { openDecideOne } from './decide-one.ts'

export type PeerWorkerOptions = {
  redisUrl: string
  decideOne: (order: PlaceOrderRequest, claimedAt: number) => Promise<Outcome>
  concurrency: number
}

/** Opens a worker that decides a peer's jobs. Resolves once it takes jobs. */
type OpenWorker = (options: PeerWorkerOptions) => Promise<{ close: () => Promise<unknown> }>

/**
 * Runs a peer's worker. `concurrency` opens it anew with another concurrency, in this process: so
 * that concurrencies can be compared with all code compiled.
 */
export async function serveWorker(open: OpenWorker): Promise<void> {
  const redisUrl = process.env.REDIS_URL ?? ''
  const decideOne = await openDecideOne(redisUrl, process.env.POLICY_FILE ?? '')
  const openWith = (concurrency: number) => open({ redisUrl, decideOne, concurrency })
  let worker = await openWith(Number(process.env.CONCURRENCY ?? 64))
  serve({
    concurrency: async (argument) => {
      await worker.close()
      worker = await openWith(z.number().parse(argument))
    },
  })
}
