import { setTimeout as wait } from 'node:timers/promises'
import { PlaceOrderRequest } from '@placeorder/protocol'
import { z } from 'zod'
import { bodyAt } from '../orders/order-at.ts'
import { serve } from '../test-bed/serve.ts'
import { LoadTally } from './load.ts'

const Start = z.object({ inFlight: z.number(), from: z.number() })

/** After this time (ms) an outcome is not expected any more. */
const OUTCOME_MS_MAX = 15_000

/** So many orders are made ahead, so that making them is not part of what is measured. */
const AHEAD = 60_000

/**
 * Keeps a fixed number of orders in flight: when one has its outcome, the next one is placed.
 * Serves start, mark and stop; `stop` resolves with the first order that was not sent.
 */
export function serveClosedLoop(place: (order: PlaceOrderRequest) => Promise<string>): void {
  const tally = new LoadTally()
  let ahead: PlaceOrderRequest[] = []
  let next = 0
  let running = false
  let loops: Promise<void>[] = []

  const order = (at: number): PlaceOrderRequest => PlaceOrderRequest.parse(JSON.parse(bodyAt(at)))
  const takeNext = (): PlaceOrderRequest => ahead.pop() ?? order(next++)

  const placeInTurn = async () => {
    while (running) {
      const one = takeNext()
      const startedAt = performance.now()
      try {
        const code = await place(one)
        if (code !== 'SUCCESS') tally.failed(code)
        tally.answered(performance.now() - startedAt)
      } catch (error) {
        tally.failed(String(error))
      }
    }
  }

  serve({
    start: (argument) => {
      const { inFlight, from } = Start.parse(argument)
      next = from + AHEAD
      ahead = Array.from({ length: AHEAD }, (_, i) => order(from + i)).reverse()
      running = true
      loops = Array.from({ length: inFlight }, placeInTurn)
    },
    mark: () => tally.mark(),
    stop: async () => {
      running = false
      const late = wait(OUTCOME_MS_MAX, undefined, { ref: false }).then(() => {
        throw new Error(`an order had no outcome within ${OUTCOME_MS_MAX} ms`)
      })
      await Promise.race([Promise.all(loops), late])
      return next
    },
  })
}
