import { isResultCode, type ResultCode } from '@placeorder/protocol'
import type { CaseContext } from './case-context.ts'
import type { FixtureName } from './fixtures.ts'
import type { Recorded } from './wire.ts'

/** What a case is about; the report has a chapter for each. */
export const groups = {
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
export type Group = keyof typeof groups

/** On whose word a rule is: Alipay+'s documents, its SDKs, or ours where nothing is published (PROTOCOL.md). */
export type Word = 'doc' | 'sdk' | 'ours'

/** Where a rule is written. */
export type Source = { page: 'placeOrder.txt' | 'PROTOCOL.md'; at: string; word: Word }

/** What a case hopes for. `got` is a result code, or words for what came instead. */
export type Expected = { words: string; isMet: (got: string) => boolean }

type Words = {
  name: `${Group}/${string}`
  rule: string
  source: Source
  /** What happens to a payer when an acquirer fails this, in a sentence. */
  breaks: string
  expected: Expected
}

/** A case that sends something, and says what it got: a code or words. */
export type RequestCase = Words & {
  /** The entry of the fixtures file whose state this needs; without it the case is skipped. */
  needs?: FixtureName
  /** Waits for all other trials, since it looks for what they may have left behind. */
  last?: true
  /** @throws UnmetPrecondition when what has to come first did not come about */
  act: (lab: CaseContext) => Promise<string>
}

/** A case about all answers of the run, judged when they are there. */
export type Survey = Words & {
  /** Which answers it is about. */
  about: (one: Recorded) => boolean
  /** What is wrong with an answer, or undefined. */
  fault: (one: Recorded) => string | undefined
}

export type Case = RequestCase | Survey

export const groupOf = ({ name }: { name: string }): string => name.slice(0, name.indexOf('/'))

/** What has to come before the matter itself did not come about. */
export class UnmetPrecondition extends Error {}

/** The page of the message body; `at` is a field or a heading of it. */
export const page = (at: string): Source => ({ page: 'placeOrder.txt', at, word: 'doc' })

/** The page of the wire; `at` is a heading of it. */
export const wire = (at: string, word: Word = 'doc'): Source => ({ page: 'PROTOCOL.md', at, word })

/** One of these codes. */
export const code = (...codes: readonly [ResultCode, ...ResultCode[]]): Expected => ({
  words: codes.join(' or '),
  isMet: (got) => codes.some((one) => one === got),
})

/** Any code but this one: what comes of the order then is for the acquirer's books to say. */
export const anyBut = (unwanted: ResultCode): Expected => ({
  words: `any code but ${unwanted}`,
  isMet: (got) => isResultCode(got) && got !== unwanted,
})

/** What a survey hopes for, of the answers it is about. */
export const allOfThem = 'all of them'

/** Exactly these words. */
export const exactly = (words: string): Expected => ({ words, isMet: (got) => got === words })
