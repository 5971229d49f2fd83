import { reasonOf, SEND_MS_MAX, type Sink } from './sent.ts'

/** Appends events to a stream of the operator's; the store has it. */
export type StreamWriter = {
  append: (events: readonly { id: string; type: string; text: string }[]) => Promise<void>
  close: () => Promise<void>
}

/** So many events are appended in one call. */
const BATCH = 100

/** A sink that appends events to a Redis stream: each with its id and type, and its JSON. */
export const openRedisStream = (writer: StreamWriter): Sink => ({
  batch: BATCH,
  concurrency: 1,
  send: async (events) => {
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(() => late.reject(new Error('it does not answer')), SEND_MS_MAX)
    try {
      const entries = events.map((event) => ({
        id: event.id,
        type: event.type,
        text: JSON.stringify(event),
      }))
      await Promise.race([writer.append(entries), late.promise])
      return { kind: 'delivered' }
    } catch (error) {
      return { kind: 'failed', endpoint: true, reason: reasonOf(error) }
    } finally {
      clearTimeout(timer)
    }
  },
  close: () => writer.close(),
})
