import { setTimeout as wait } from 'node:timers/promises'
import { PlaceOrderRequest } from '@placeorder/protocol'
import { z } from 'zod'
import { bodyAt } from '../orders/order-at.ts'
import { serve } from '../test-bed/serve.ts'
import { Tally } from './load.ts'

const Start = z.object({ inFlight: z.number(), from: z.number() })

/** Past this time (ms) an outcome does not come any more. */
const OUTCOME_MS_MAX = 15_000

/** Orders are made so many ahead, so that making them is not what is measured. */
const AHEAD = 60_000

/**
 * Keeps a number of orders in hand: when one has its outcome the next one follows. Asked for: start, mark, stop;
 * `stop` resolves with the first order that was not sent.
 */
export function serveClosedLoop(place: (order: PlaceOrderRequest) => Promise<string>): void {
  const tally = new Tally()
  let ahead: PlaceOrderRequest[] = []
  let next = 0
  let running = false
  let hands: Promise<void>[] = []

  const order = (at: number): PlaceOrderRequest => PlaceOrderRequest.parse(JSON.parse(bodyAt(at)))
  const takeNext = (): PlaceOrderRequest => ahead.pop() ?? order(next++)

  const work = async () => {
    while (running) {
      const one = takeNext()
      const startedAt = performance.now()
      try {
        const code = await place(one)
        if (code !== 'SUCCESS') tally.failed(code)
        tally.landed(performance.now() - startedAt)
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
      hands = Array.from({ length: inFlight }, work)
    },
    mark: () => tally.mark(),
    stop: async () => {
      running = false
      const late = wait(OUTCOME_MS_MAX, undefined, { ref: false }).then(() => {
        throw new Error(`an order had no outcome within ${OUTCOME_MS_MAX} ms`)
      })
      await Promise.race([Promise.all(hands), late])
      return next
    },
  })
}
