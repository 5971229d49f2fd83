import type { Facts } from '@placeorder/decision'
import { Agent, type Dispatcher, request } from 'undici'
import { readAnswer } from './answer.ts'
import type { Ask } from './guard.ts'

/**
 * The longest answer, with each of 2,000 characters escaped in 12 bytes, has about 24 KB; a longer
 * one is not read.
 */
const ANSWER_BYTES_MAX = 32_768

/** Concurrent calls to one service: as many as a group has orders. */
const CONNECTIONS_MAX = 128

/**
 * Keeps connections to check services open between calls; idle ones are closed after some seconds.
 */
export const openAgent = (): Dispatcher =>
  new Agent({ connections: CONNECTIONS_MAX, maxResponseSize: ANSWER_BYTES_MAX })

const idempotencyKeyOf = ({ acquirerId, paymentId }: Facts['order']): string =>
  [acquirerId, paymentId].map((id) => encodeURIComponent(id.toWellFormed())).join(':')

/**
 * Posts order and merchant to a service. Redirects are not followed, and anything but a final code
 * in a 200 leaves the order undecided.
 */
export function askOverHttp(url: string, dispatcher: Dispatcher): Ask {
  return async ({ order, merchant = null }, signal) => {
    const { statusCode, body } = await request(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json; charset=UTF-8',
        accept: 'application/json',
        'idempotency-key': idempotencyKeyOf(order),
      },
      body: JSON.stringify({ order, merchant }),
      signal,
      dispatcher,
    })
    const text = await body.text()
    if (statusCode !== 200) throw new Error(`it answered HTTP ${statusCode}`)
    return readAnswer(JSON.parse(text))
  }
}
