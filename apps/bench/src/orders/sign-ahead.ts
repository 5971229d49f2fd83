import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { z } from 'zod'

/** Which orders to sign: the first `count`, for this path, with this key. */
export type OrdersToSign = { count: number; target: string; keyFile: string; time: string }

/** The length of a signature with a key of 2048 bits. */
export const SIGNATURE_BYTES = 256

/** Signs orders on all cores before the clock starts; resolves with their signatures in a row. */
export async function signOrdersAhead(what: OrdersToSign): Promise<Buffer> {
  const threads = availableParallelism()
  const parts = await Promise.all(
    Array.from({ length: threads }, (_, thread) => {
      const from = Math.floor((what.count * thread) / threads)
      const to = Math.floor((what.count * (thread + 1)) / threads)
      return signPart({ ...what, from, to })
    }),
  )
  return Buffer.concat(parts)
}

export type SignPart = OrdersToSign & { from: number; to: number }

function signPart(part: SignPart): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(new URL('./signing-thread.ts', import.meta.url), { workerData: part })
    thread.once('message', (message) => resolve(z.instanceof(Uint8Array).parse(message)))
    thread.once('error', reject)
  })
}
