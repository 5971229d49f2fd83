import type { OrderEvent } from './event.ts'

/** Which events a sink is sent; a list that is missing lets all pass. */
export type EventFilter = {
  types?: readonly string[] | undefined
  merchants?: readonly string[] | undefined
  psps?: readonly string[] | undefined
}

export const passes = ({ types, merchants, psps }: EventFilter, event: OrderEvent): boolean =>
  contains(types, event.type) &&
  contains(merchants, event.data.referenceMerchantId) &&
  contains(psps, event.data.pspId)

const contains = (list: readonly string[] | undefined, word: string): boolean =>
  list === undefined || list.includes(word)
