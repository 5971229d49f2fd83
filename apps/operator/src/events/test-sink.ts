import { randomUUID } from 'node:crypto'
import { openSink, type Sent, testEvent } from '@placeorder/events'
import { EventStream } from '@placeorder/store'
import { exitCode } from '../command-line.ts'
import type { EventsDeps } from './command.ts'

/**
 * Sends a test event to a sink, as it is configured in the file and from this machine, and says
 * what became of it. Nothing is noted in Redis.
 */
export async function testSink(
  name: string,
  { readSinks, out, err }: Pick<EventsDeps, 'readSinks' | 'out' | 'err'>,
): Promise<number> {
  const { path, sinks } = await readSinks()
  const entry = sinks?.find((sink) => sink.name === name)
  if (entry === undefined) {
    const known = sinks?.map((sink) => sink.name).join(', ') || 'none'
    const has = sinks === undefined ? 'there is no such file: set EVENTS_FILE' : `it has ${known}`
    err.write(`${path} has no sink ${name}: ${has}\n`)
    return exitCode.missed
  }
  const sink = await openSink(entry, { path, openStream: (stream) => new EventStream(stream) })
  const event = testEvent(randomUUID().slice(0, 8), Date.now())
  const begun = performance.now()
  const sent = await sink.send([event]).finally(() => sink.close().catch(() => {}))
  const ms = Math.round(performance.now() - begun)
  out.write(`sent ${event.type} ${event.id} to ${name}: after ${ms} ms ${answerOf(sent)}\n`)
  return sent.kind === 'delivered' ? exitCode.good : exitCode.missed
}

/** What became of an event, and what notifiers would do. */
function answerOf(sent: Sent): string {
  if (sent.kind === 'delivered') return 'it was taken'
  if (sent.kind === 'gone') return `${sent.reason}: notifiers would disable the sink`
  const pause = sent.retryAfterMs === undefined ? '' : ` after ${sent.retryAfterMs / 1000} s`
  return sent.endpoint
    ? `${sent.reason}: notifiers would try again${pause}, and hold events back if that goes on`
    : `${sent.reason}: notifiers would try this event again, and send others`
}
