import { answeredTarget, UNKNOWN_CLIENT } from '@placeorder/protocol'
import type { Clients } from './clients.ts'

/** Whom an answer is signed for, and as the answer to what. */
export type Addressee = { target: string; clientId: string }

/**
 * All of a request that enters the text we sign for its answer. Anybody can have an answer signed, so none of it is free
 * text: with any Client-Id or any target, a stranger would get our signature under what reads as a request of ours.
 */
export const addresseeOf = (target: string, clientId?: string, clients?: Clients): Addressee => ({
  target: answeredTarget(target),
  clientId: clients?.get(clientId ?? '')?.clientId ?? UNKNOWN_CLIENT,
})
