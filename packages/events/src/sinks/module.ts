import { randomUUID } from 'node:crypto'
import { pathToFileURL } from 'node:url'
import type { ReadFile } from '@placeorder/config'
import { reasonOf, SEND_MS_MAX, type Sink } from './sent.ts'

/** Sendings of one shard that a module is given at once. */
const CONCURRENCY = 4

/**
 * Opens a sink that a TypeScript or JavaScript module makes: its default export is
 * `(events, signal)` to a promise that resolves once the events are kept; it may export `close`.
 * Each opening has an instance of its own, of the file's newest version: what one of them closes is
 * no other's.
 *
 * @throws whatever keeps it from being loaded
 */
export async function openModule(path: string, batch: number, read: ReadFile): Promise<Sink> {
  const url = pathToFileURL(path)
  await read(path) // Whoever gave `read` watches the file.
  url.searchParams.set('instance', randomUUID())
  const { default: send, close }: { default?: unknown; close?: unknown } = await import(url.href)
  if (typeof send !== 'function') throw new Error('its default export is not a function')
  return {
    batch,
    concurrency: CONCURRENCY,
    send: async (events) => {
      const signal = AbortSignal.timeout(SEND_MS_MAX)
      try {
        await Promise.race([send(events, signal), aborted(signal)])
        return { kind: 'delivered' }
      } catch (error) {
        return { kind: 'failed', endpoint: true, reason: reasonOf(error) }
      }
    },
    close: async () => {
      if (typeof close === 'function') await close()
    },
  }
}

const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
