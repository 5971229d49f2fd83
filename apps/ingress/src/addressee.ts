import { answeredTarget, UNKNOWN_CLIENT } from '@placeorder/protocol'
import type { Clients } from './clients.ts'

/** The client an answer is signed for, and the target it answers. */
export type Addressee = { target: string; clientId: string }

/**
 * The only parts of a request that enter the text we sign for its answer. Anybody can get an answer
 * signed, so none of it is free text: with any Client-Id or target allowed, a stranger could get
 * our signature under text that reads as a request of ours.
 */
export const addresseeOf = (target: string, clientId?: string, clients?: Clients): Addressee => ({
  target: answeredTarget(target),
  clientId: clients?.get(clientId ?? '')?.clientId ?? UNKNOWN_CLIENT,
})
