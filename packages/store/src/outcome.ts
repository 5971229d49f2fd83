import assert from 'node:assert/strict'
import { type FinalCode, finalCode, finalCodeIn } from '@placeorder/protocol'

/**
 * How an order ended, as it is decided, stored and announced: a final code; and, after a space,
 * what a check of the acquirer's passes through to Alipay+, if anything.
 */
export type Outcome = FinalCode | `${FinalCode} ${string}`

/** The two parts of an outcome. */
export type OutcomeParts = { code: FinalCode; passThroughInfo?: string }

export function outcomeOf(code: FinalCode, passThroughInfo: string | undefined): Outcome {
  return passThroughInfo === undefined ? code : `${code} ${passThroughInfo}`
}

/** The final code at the start of a stored outcome; undefined if this version does not know it. */
export function codeIn(text: string): FinalCode | undefined {
  const end = text.indexOf(' ')
  return finalCodeIn(end < 0 ? text : text.slice(0, end))
}

export const isOutcome = (text: string): text is Outcome => codeIn(text) !== undefined

export const unreadableOutcome = (): Error =>
  new Error('the outcome of an order is of a newer version or damaged')

/** Reads a stored outcome; anything else in its place is our bug. */
export function readOutcome(text: string): Outcome {
  assert(isOutcome(text), 'a stored outcome is not an outcome')
  return text
}

export function partsOf(outcome: Outcome): OutcomeParts {
  const end = outcome.indexOf(' ')
  return end < 0
    ? { code: finalCode(outcome) }
    : { code: finalCode(outcome.slice(0, end)), passThroughInfo: outcome.slice(end + 1) }
}
