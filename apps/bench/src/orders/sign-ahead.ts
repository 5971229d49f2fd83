import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { z } from 'zod'

/** What is signed: the orders from 0 on, for this path, with this key. */
export type SignAhead = { count: number; target: string; keyFile: string; time: string }

/** Bytes of a signature with a key of 2048 bits. */
export const SIGNATURE_BYTES = 256

/** The signatures of orders, one after the other, made before the clock starts by all cores together. */
export async function signAhead(what: SignAhead): Promise<Buffer> {
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

export type SignPart = SignAhead & { from: number; to: number }

function signPart(part: SignPart): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(new URL('./signing-thread.ts', import.meta.url), { workerData: part })
    thread.once('message', (message) => resolve(z.instanceof(Uint8Array).parse(message)))
    thread.once('error', reject)
  })
}
