import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { FloodCount, FloodOptions } from './flooding-thread.ts'

export type Flood = {
  /** Starts or stops it; gives what was sent and answered so far. */
  flow: (flows: boolean) => Promise<FloodCount>
  close: () => Promise<void>
}

/**
 * Sends requests that nobody has signed to a port, at a steady rate, from a thread of its own.
 * Stopped at first.
 */
export function openFlood(options: FloodOptions): Flood {
  const thread = new Worker(new URL('./flooding-thread.ts', import.meta.url), {
    workerData: options,
  })
  return {
    flow: async (flows) => {
      thread.postMessage(flows)
      const [count] = (await once(thread, 'message')) as [FloodCount]
      return count
    },
    close: async () => void (await thread.terminate()),
  }
}
