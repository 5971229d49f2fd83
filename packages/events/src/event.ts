import { hash } from 'node:crypto'
import {
  Amount,
  Env,
  type FinalCode,
  formatTime,
  type PlaceOrderRequest,
  Result,
  resultOf,
} from '@placeorder/protocol'
import { z } from 'zod'

/** What happened to an order. It happens once. */
export const eventTypes = ['order.placed', 'order.refused', 'order.abandoned'] as const
export type EventType = (typeof eventTypes)[number]

/** Of an event that an operator sends to see whether a sink works: there is no such order. */
const TEST_TYPE = 'placeorder.test'

/** What an event says of its order. */
export const EventData = z.object({
  paymentId: z.string().meta({ description: 'The id of the payment order at the payer’s side' }),
  paymentRequestId: z.string().meta({ description: 'The acquirer’s id of it' }),
  acquirerId: z.string(),
  pspId: z.string().meta({ description: 'The wallet whose customer pays' }),
  result: Result,
  paymentAmount: Amount,
  settlementAmount: Amount,
  referenceMerchantId: z.string(),
  referenceStoreId: z.exactOptional(z.string()),
  claimedAt: z.iso.datetime().meta({ description: 'When the order was accepted' }),
  concludedAt: z.iso.datetime().meta({ description: 'When its outcome became final' }),
  codeValue: z.exactOptional(z.string()).meta({ description: 'Only for sinks with "full"' }),
  customerId: z.exactOptional(z.string()).meta({ description: 'Only for sinks with "full"' }),
  env: z.exactOptional(Env).meta({ description: 'Only for sinks with "full"' }),
})

/** The outcome of one order as a CloudEvent 1.0 in JSON. */
export const OrderEvent = z.object({
  specversion: z.literal('1.0'),
  id: z.string().meta({ description: 'Never changes, however often the event is delivered' }),
  source: z.string().meta({ description: '/placeorder/ and the acquirerId, percent-encoded' }),
  type: z
    .enum([...eventTypes, TEST_TYPE])
    .meta({ description: `With ${TEST_TYPE} there is no such order: it is a test of the sink` }),
  subject: z.string().meta({ description: 'The paymentId' }),
  time: z.iso.datetime().meta({ description: 'When the outcome became final' }),
  datacontenttype: z.literal('application/json'),
  data: EventData,
})
export type OrderEvent = z.output<typeof OrderEvent>

/** What an event is made of. Times are in ms. */
export type OrderOutcome = {
  acquirerId: string
  paymentId: string
  paymentRequestId: string
  pspId: string
  code: FinalCode
  paymentAmount: Amount
  settlementAmount: Amount
  referenceMerchantId: string
  referenceStoreId?: string | undefined
  claimedAt: number
  concludedAt: number
  /** Left out of an event unless a sink asks for it; undefined if it is no longer kept. */
  personal?: Pick<PlaceOrderRequest, 'codeValue' | 'customerId' | 'env'> | undefined
}

/** The type of an outcome: only what could not be decided in time is PROCESS_FAIL. */
export function eventTypeOf(code: FinalCode): EventType {
  if (code === 'SUCCESS') return 'order.placed'
  return code === 'PROCESS_FAIL' ? 'order.abandoned' : 'order.refused'
}

/**
 * The id of an event: a digest, 132 bits of it, of what makes it this event. In JSON, whatever is
 * in the ids, no two events share one.
 */
export const eventIdOf = (acquirerId: string, paymentId: string, type: EventType): string =>
  hash('sha256', JSON.stringify([acquirerId, paymentId, type]), 'base64url').slice(0, 22)

/** The event of an outcome; with `full`, also what is personal in it. */
export function eventOf(outcome: OrderOutcome, full = false): OrderEvent {
  const { acquirerId, paymentId, code, referenceStoreId, personal } = outcome
  const type = eventTypeOf(code)
  const concludedAt = formatTime(outcome.concludedAt)
  return {
    specversion: '1.0',
    id: eventIdOf(acquirerId, paymentId, type),
    source: `/placeorder/${encodeURIComponent(acquirerId.toWellFormed())}`,
    type,
    subject: paymentId,
    time: concludedAt,
    datacontenttype: 'application/json',
    data: {
      paymentId,
      paymentRequestId: outcome.paymentRequestId,
      acquirerId,
      pspId: outcome.pspId,
      result: resultOf(code),
      paymentAmount: outcome.paymentAmount,
      settlementAmount: outcome.settlementAmount,
      referenceMerchantId: outcome.referenceMerchantId,
      ...(referenceStoreId === undefined ? {} : { referenceStoreId }),
      claimedAt: formatTime(outcome.claimedAt),
      concludedAt,
      ...(full && personal !== undefined ? personalOf(personal) : {}),
    },
  }
}

/**
 * An event that tests a sink. Whoever takes it for an order's has one of nothing that failed, and
 * of nobody. `name` makes its ids.
 */
export function testEvent(name: string, now: number): OrderEvent {
  const amount = { value: '0', currency: 'XTS' }
  const event = eventOf({
    acquirerId: 'TEST',
    paymentId: `TEST-${name}`,
    paymentRequestId: `TEST-${name}`,
    pspId: 'TEST',
    code: 'PROCESS_FAIL',
    paymentAmount: amount,
    settlementAmount: amount,
    referenceMerchantId: 'TEST',
    claimedAt: now,
    concludedAt: now,
  })
  return { ...event, id: `test_${name}`, type: TEST_TYPE }
}

const personalOf = ({ codeValue, customerId, env }: NonNullable<OrderOutcome['personal']>) => ({
  codeValue,
  ...(customerId === undefined ? {} : { customerId }),
  env,
})
