import { setTimeout as sleep } from 'node:timers/promises'
import { patience, type Tls } from '../client/caller.ts'
import { Connection, type Landed } from './connection.ts'
import type { Supply } from './supply.ts'

export type FireOptions = {
  origin: string
  tls: Tls
  connections: number
  /** Requests a second of all connections together; without one each connection sends when its answer is there. */
  rate: number | undefined
  /** How long new requests are sent. */
  durationMs: number
  /** How long an answer is waited for. */
  timeoutMs?: number
  onLanded: (landed: Landed) => void
  /** Ends the run early; answers that are on their way are still waited for. */
  signal?: AbortSignal
}

/** Why a run ended: its time was over, all requests were sent, it was stopped, or nobody answers any more. */
export type Ending = 'TIME' | 'ALL_SENT' | 'STOPPED' | 'GIVEN_UP'

/** After so many lost connections in a row, with no answer between, nobody is there; a closed loop would only spin. */
const DROPPED_IN_A_ROW_MAX = 1000

/** The last second begins this much early, in ms, so that no connection begins one more. */
const MARGIN_MS = 10

/**
 * Sends the supply over so many connections at once, in a closed loop or at a fixed rate, and returns when the last
 * answer is there.
 *
 * At a fixed rate each connection sends its part of a second's requests back to back; connections start one after the
 * other within the first second, which spreads these parts evenly.
 */
export async function fire(supply: Supply, options: FireOptions): Promise<Ending> {
  const { rate, durationMs, onLanded, signal } = options
  const count = Math.min(options.connections, rate ?? Number.POSITIVE_INFINITY)
  const open: Connection[] = []
  const over = new AbortController()
  const end = (why: Ending) => {
    if (!over.signal.aborted) over.abort(why)
    for (const connection of open) connection.end()
  }
  const stop = () => end('STOPPED')
  signal?.addEventListener('abort', stop, { once: true })
  const onEach = countingDropped(onLanded, () => end('GIVEN_UP'))
  const take = () => {
    const one = supply.take()
    if (supply.empty) end('ALL_SENT')
    return one
  }
  const run = async (at: number) => {
    const delayMs = rate === undefined ? 0 : (at * 1000) / count
    await sleep(delayMs, undefined, { signal: over.signal }).catch(() => {})
    if (over.signal.aborted) return
    const connection = new Connection({
      origin: options.origin,
      tls: options.tls,
      rate: rate === undefined ? undefined : partOf(rate, count, at),
      timeoutMs: options.timeoutMs ?? patience.placeMs,
      take,
      onLanded: onEach,
    })
    open.push(connection)
    if (over.signal.aborted) connection.end() // It took the last one while it was made.
    const timer = setTimeout(() => {
      if (rate === undefined) end('TIME')
      else connection.end()
    }, durationMs - MARGIN_MS)
    try {
      await connection.ended
    } finally {
      clearTimeout(timer)
    }
  }
  try {
    await Promise.all(Array.from({ length: count }, (_, at) => run(at)))
    return over.signal.aborted ? over.signal.reason : 'TIME'
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}

/** The part of a rate that the connection at `at` has: parts are whole, and add up to the rate. */
export const partOf = (rate: number, count: number, at: number): number =>
  Math.floor(((at + 1) * rate) / count) - Math.floor((at * rate) / count)

function countingDropped(
  onLanded: (landed: Landed) => void,
  onTooMany: () => void,
): (landed: Landed) => void {
  let inARow = 0
  return (landed) => {
    inARow = landed.kind === 'DROPPED' ? inARow + 1 : 0
    onLanded(landed)
    if (inARow === DROPPED_IN_A_ROW_MAX) onTooMany()
  }
}
