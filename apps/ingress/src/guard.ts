import { type Intake, type OrderFinder, type OrderId, orderIdOf } from '@placeorder/store'

type Guarded = { intake: Pick<Intake, 'accept'>; finder: Pick<OrderFinder, 'find'> }

/**
 * The same, except that both reject while `demand` throws for the order. What was found is not
 * believed either if it throws by then: it may have come from another Redis.
 */
export const guard = (
  { intake, finder }: Guarded,
  demand: (orderId: OrderId) => void,
): Guarded => ({
  intake: {
    accept: async (incoming, signal) => {
      demand(orderIdOf(incoming.order))
      return intake.accept(incoming, signal)
    },
  },
  finder: {
    find: async (orderId) => {
      demand(orderId)
      const found = await finder.find(orderId)
      demand(orderId)
      return found
    },
  },
})
