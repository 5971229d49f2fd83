import { setTimeout as sleep } from 'node:timers/promises'
import { answerTimeouts, type Tls } from '../client/place-order-client.ts'
import { LoadConnection, type RequestResult } from './load-connection.ts'
import type { Supply } from './supply.ts'

export type SendLoadOptions = {
  origin: string
  tls: Tls
  connections: number
  /** Requests a second of all connections together; without a rate, a closed loop. */
  rate: number | undefined
  /** For how long new requests are sent. */
  durationMs: number
  /** How long to wait for an answer. */
  timeoutMs?: number
  onResult: (result: RequestResult) => void
  /** Ends the run early, after the answers to requests in flight. */
  signal?: AbortSignal
}

/**
 * Why a run ended: time is up, all requests are sent, it was stopped, or nobody answers any more.
 */
export type EndReason = 'TIME' | 'ALL_SENT' | 'STOPPED' | 'UNREACHABLE'

/** A run ends after so many lost connections in a row: a closed loop would only spin. */
const DROPPED_IN_A_ROW_MAX = 1000

/** The last second ends this much early, in ms, so that no connection starts another one. */
const MARGIN_MS = 10

/**
 * Sends the supply over several connections, in a closed loop or at a fixed rate, and returns after
 * the last answer.
 *
 * At a fixed rate each connection sends its part of a second's requests back to back. Connections
 * start one after the other within the first second, which spreads these parts evenly.
 */
export async function sendLoad(supply: Supply, options: SendLoadOptions): Promise<EndReason> {
  const { rate, durationMs, onResult, signal } = options
  const count = Math.min(options.connections, rate ?? Number.POSITIVE_INFINITY)
  const open: LoadConnection[] = []
  const over = new AbortController()
  const end = (reason: EndReason) => {
    if (!over.signal.aborted) over.abort(reason)
    for (const connection of open) connection.end()
  }
  const stop = () => end('STOPPED')
  signal?.addEventListener('abort', stop, { once: true })
  const onEach = countDropped(onResult, () => end('UNREACHABLE'))
  const next = () => {
    const request = supply.take()
    if (supply.empty) end('ALL_SENT')
    return request
  }
  const run = async (at: number) => {
    const delayMs = rate === undefined ? 0 : (at * 1000) / count
    await sleep(delayMs, undefined, { signal: over.signal }).catch(() => {})
    if (over.signal.aborted) return
    const connection = new LoadConnection({
      origin: options.origin,
      tls: options.tls,
      rate: rate === undefined ? undefined : partOf(rate, count, at),
      timeoutMs: options.timeoutMs ?? answerTimeouts.placeMs,
      next,
      onResult: onEach,
    })
    open.push(connection)
    if (over.signal.aborted) connection.end() // Its constructor took the last request.
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

/**
 * The part of a rate that connection `at` sends: parts are whole numbers that add up to the rate.
 */
export const partOf = (rate: number, count: number, at: number): number =>
  Math.floor(((at + 1) * rate) / count) - Math.floor((at * rate) / count)

function countDropped(
  onResult: (result: RequestResult) => void,
  onTooMany: () => void,
): (result: RequestResult) => void {
  let inARow = 0
  return (result) => {
    inARow = result.kind === 'DROPPED' ? inARow + 1 : 0
    onResult(result)
    if (inARow === DROPPED_IN_A_ROW_MAX) onTooMany()
  }
}
