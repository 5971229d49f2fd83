import { isResultCode, type ResultCode } from '@placeorder/protocol'
import type { CaseContext } from './case-context.ts'
import type { FixtureName } from './fixtures.ts'
import type { RecordedExchange } from './wire.ts'

/** What a case is about; the reports have a chapter for each. */
export const chapterTitles = {
  structure: 'Message structure',
  fields: 'Fields',
  amounts: 'Amounts',
  signature: 'Signature of the request',
  headers: 'Headers of the request',
  codes: 'Result codes',
  states: 'Result codes that need a state',
  idempotency: 'Idempotency',
  pending: 'Orders that are open for a while',
  connections: 'Dropped connections',
  inquiry: 'Inquiry',
  answers: 'Every answer',
} as const
export type Chapter = keyof typeof chapterTitles

/** Where a rule comes from: Alipay+'s documents, its SDKs, or us where nothing is published. */
export type Origin = 'doc' | 'sdk' | 'ours'

/** Where a rule is written: a heading of PROTOCOL.md, or a field or heading of placeOrder.txt. */
export type Source = {
  page: 'placeOrder.txt' | 'PROTOCOL.md'
  section: string
  origin: Origin
}

/** What a case expects. `got` is a result code, or a phrase that says what came instead. */
export type Expectation = { text: string; isMet: (got: string) => boolean }

/** What the reports say about a case. */
export type CaseText = {
  name: `${Chapter}/${string}`
  rule: string
  source: Source
  /** What happens to a payer when an acquirer fails this case, in a sentence. */
  breaks: string
  expected: Expectation
}

/** A case that sends requests of its own. */
export type RequestCase = CaseText & {
  /** The entry of the fixtures file whose state this case needs; without it the case is skipped. */
  needs?: FixtureName
  /** Runs after all other request cases, to find what they may have changed. */
  last?: true
  /**
   * Returns what the case got: a result code, or a phrase.
   *
   * @throws UnmetPrecondition when a step before the one under test failed
   */
  act: (context: CaseContext) => Promise<string>
}

/** A case that judges all answers of the run when they are there. */
export type AnswerCase = CaseText & {
  /** Which answers it judges. */
  about: (one: RecordedExchange) => boolean
  /** What is wrong with an answer, or undefined. */
  fault: (one: RecordedExchange) => string | undefined
}

export type AcceptanceCase = RequestCase | AnswerCase

export const chapterOf = ({ name }: { name: string }): string => name.slice(0, name.indexOf('/'))

/** A field or a heading of Alipay+'s page of placeOrder. */
export const placeOrderDoc = (section: string): Source => ({
  page: 'placeOrder.txt',
  section,
  origin: 'doc',
})

/** A heading of PROTOCOL.md. */
export const protocolDoc = (section: string, origin: Origin = 'doc'): Source => ({
  page: 'PROTOCOL.md',
  section,
  origin,
})

/** One of these codes. */
export const code = (...codes: readonly [ResultCode, ...ResultCode[]]): Expectation => ({
  text: codes.join(' or '),
  isMet: (got) => codes.some((one) => one === got),
})

/** Any code but this one: which one depends on the acquirer's data. */
export const anyBut = (unwanted: ResultCode): Expectation => ({
  text: `any code but ${unwanted}`,
  isMet: (got) => isResultCode(got) && got !== unwanted,
})

/** What an AnswerCase gets when no answer has a fault. */
export const allOfThem = 'all of them'

/** Exactly this text. */
export const exactly = (text: string): Expectation => ({ text, isMet: (got) => got === text })
