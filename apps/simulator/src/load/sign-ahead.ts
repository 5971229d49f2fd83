import { availableParallelism } from 'node:os'
import { type SignedRequest, signRequest, type Who } from '../client/caller.ts'
import type { Planned } from './mix.ts'
import { bodyOf, type Recipe } from './recipe.ts'

/** A request that only needs to be sent. */
export type Ready = Planned & { signed: SignedRequest }

/**
 * Signs all requests before the clock starts: a signature costs 0.2 to 0.9 ms of CPU, more than sending it. The work is on
 * the threads of libuv's pool (4, or UV_THREADPOOL_SIZE), which this function keeps busy and no more than that.
 *
 * @param onProgress told how many are signed, after each
 */
export async function signAhead(
  planned: readonly Planned[],
  recipe: Recipe,
  who: Who,
  { signal, onProgress }: { signal?: AbortSignal; onProgress?: (signed: number) => void } = {},
): Promise<Ready[]> {
  const ready: Ready[] = new Array(planned.length)
  let next = 0
  let done = 0
  const lane = async () => {
    for (let at = next++; at < planned.length; at = next++) {
      const one = planned[at]
      if (one === undefined) return
      signal?.throwIfAborted()
      const url = one.kind === 'inquiry' ? who.inquiryUrl : who.url
      ready[at] = { ...one, signed: await signRequest(who, url, bodyOf(recipe, one)) }
      done += 1
      onProgress?.(done)
    }
  }
  await Promise.all(Array.from({ length: Math.max(4, availableParallelism()) * 2 }, lane))
  return ready
}
