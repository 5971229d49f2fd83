import { eventIdOf, eventTypeOf } from '@placeorder/events'
import { finalCode } from '@placeorder/protocol'
import { namesOf, OrderId } from '@placeorder/store'

/** An event that a sink was sent. */
export type SentEvent = {
  id: string
  type: string
  /** Of the order that it is about. */
  orderId: string
  code: string
  paymentRequestId: string
  /** Whether it was taken at least once, so that it need not be sent again. */
  taken: boolean
}

/** All that one sink was sent. */
export type SinkHistory = {
  sink: string
  events: readonly SentEvent[]
  /** What was wrong with requests that could not be verified, or had no events in them. */
  unverified: readonly string[]
}

/** Orders as they are stored at the end, and what each sink was sent. */
type DeliveredOutcomes = {
  orders: readonly { orderId: string; outcome: string | undefined; paymentRequestId: string }[]
  sinks?: readonly SinkHistory[]
}

/** The event of an order's outcome, as every sink must be sent it; undefined while it is open. */
function expectedEvent({
  orderId,
  outcome,
  paymentRequestId,
}: DeliveredOutcomes['orders'][number]): Omit<SentEvent, 'taken'> | undefined {
  if (outcome === undefined) return undefined
  const { acquirerId, paymentId } = namesOf(OrderId.parse(orderId))
  const type = eventTypeOf(finalCode(outcome))
  const id = eventIdOf(acquirerId, paymentId, type)
  return { id, type, orderId, code: outcome, paymentRequestId }
}

/** P8: each sink takes the event of every outcome. */
function everyOutcomeDelivered({ orders, sinks = [] }: DeliveredOutcomes): { what: string }[] {
  return sinks.flatMap(({ sink, events }) => {
    const taken = new Set(events.flatMap((event) => (event.taken ? [event.id] : [])))
    return orders.flatMap((order) => {
      const event = expectedEvent(order)
      return event === undefined || taken.has(event.id)
        ? []
        : [{ what: `${sink} has not got ${event.type} of ${order.orderId}` }]
    })
  })
}

/** P8: no sink is ever sent anything but the event of an outcome, which never changes. */
function nothingElseDelivered({ orders, sinks = [] }: DeliveredOutcomes): { what: string }[] {
  const stored = new Map(orders.map((order) => [order.orderId, order]))
  return sinks.flatMap(({ sink, events }) =>
    events.flatMap(({ taken: _, ...sent }) => {
      const order = stored.get(sent.orderId)
      const right = order && expectedEvent(order)
      return right !== undefined && nameOf(right) === nameOf(sent)
        ? []
        : [{ what: `${sink} was sent ${nameOf(sent)}, stored is ${right && nameOf(right)}` }]
    }),
  )
}

/** P8: what a receiver is sent verifies with its secret, and is events. */
const everyEventVerified = ({ sinks = [] }: DeliveredOutcomes): { what: string }[] =>
  sinks.flatMap(({ sink, unverified }) => unverified.map((why) => ({ what: `${sink}: ${why}` })))

const nameOf = ({ id, type, orderId, code, paymentRequestId }: Omit<SentEvent, 'taken'>): string =>
  `${id} ${type} ${orderId} ${code} ${paymentRequestId}`

/** The rules for events. */
export const eventRules = { everyOutcomeDelivered, nothingElseDelivered, everyEventVerified }
