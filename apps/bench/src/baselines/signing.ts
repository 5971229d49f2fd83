import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { z } from 'zod'

const Signatures = z.object({ signatures: z.number(), ms: z.number() })

/** How many RSA-2048 signatures a second all cores together make while they do nothing else. */
export async function signingRate(keyFile: string, ms: number): Promise<number> {
  const rates = await Promise.all(
    Array.from({ length: availableParallelism() }, () => one(keyFile, ms)),
  )
  return rates.reduce((sum, rate) => sum + rate, 0)
}

/**
 * The most signed orders that a whole system can answer for each signature that these cores could
 * make: each order costs a signature, and at least half as much again for the rest.
 */
export const ANSWERS_PER_SIGNATURE = 0.7

/** More signed orders a second than can be answered here. So many orders are signed ahead. */
export const answersPerSecondMax = async (keyFile: string): Promise<number> =>
  ANSWERS_PER_SIGNATURE * (await signingRate(keyFile, 1_000))

function one(keyFile: string, ms: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(new URL('./bare-signing-thread.ts', import.meta.url), {
      workerData: { keyFile, ms },
    })
    thread.once('message', (message) => {
      const signed = Signatures.parse(message)
      resolve((1_000 * signed.signatures) / signed.ms)
    })
    thread.once('error', reject)
  })
}
