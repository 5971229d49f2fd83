import type { Intake, OrderFinder } from '@placeorder/store'

type Guarded = { intake: Pick<Intake, 'accept'>; finder: Pick<OrderFinder, 'find'> }

/**
 * The same, except that both reject while `demand` throws. What was found is not believed either if
 * it throws by then: it may have come from another Redis.
 */
export const guard = ({ intake, finder }: Guarded, demand: () => void): Guarded => ({
  intake: {
    accept: async (incoming, signal) => {
      demand()
      return intake.accept(incoming, signal)
    },
  },
  finder: {
    find: async (orderId) => {
      demand()
      const found = await finder.find(orderId)
      demand()
      return found
    },
  },
})
