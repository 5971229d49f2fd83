import { beforeAll, describe, expect, test } from 'vitest'
import { faultyAcquirers } from '../../test/faulty-behaviours.ts'
import { makeKeys } from '../../test/keys.ts'
import { COUNT_MAX, pendingMerchant, testClientId } from '../../test/reference-behaviours.ts'
import { SmallAcquirer } from '../../test/small-acquirer.ts'
import { readSample } from '../cli/sample-order.ts'
import { chapterOf } from './case.ts'
import { ANSWER_WITHIN_MS, allCases } from './cases/all-cases.ts'
import { type Fixtures, stateCodes } from './fixtures.ts'
import type { Fields } from './order.ts'
import { pick } from './pick.ts'
import { type CaseOutcome, runCases } from './run-cases.ts'

const keys = makeKeys()
let sample: Fields
beforeAll(async () => {
  sample = (await readSample(undefined)).fields ?? {}
})

const ofMerchant = (referenceMerchantId: string, after = 0) => ({
  order: { merchant: { referenceMerchantId, store: null } },
  after,
})
const fixtures: Fixtures = {
  ...Object.fromEntries(stateCodes.map((code) => [code, ofMerchant(`M-${code}`)])),
  PAYMENT_COUNT_EXCEED_LIMIT: ofMerchant('M-PAYMENT_COUNT_EXCEED_LIMIT', COUNT_MAX),
  pending: ofMerchant(pendingMerchant),
  paymentRequestId: { order: { paymentRequestId: 'GIVEN' }, after: 0 },
  settlement: {
    order: {
      settlementAmount: { value: '14', currency: 'USD' },
      settlementQuote: { quoteId: 'Q1', quoteCurrencyPair: 'CNY/USD', quotePrice: '0.14' },
    },
    after: 0,
  },
}

type Bounds = { only?: string; answerWithinMs?: number; finalWithinMs?: number }

async function runAgainst(acquirer: SmallAcquirer, bounds: Bounds = {}): Promise<CaseOutcome[]> {
  const { only, answerWithinMs = ANSWER_WITHIN_MS, finalWithinMs = 20_000 } = bounds
  const { url, inquiryUrl } = acquirer
  const config = {
    url,
    inquiryUrl,
    clientId: testClientId,
    key: keys.caller,
    keyVersion: '1',
    serverKey: keys.acquirerPublic,
  }
  return runCases(pick(allCases(answerWithinMs), { only }), {
    setting: {
      config: { ...config, tls: { rejectUnauthorized: true } },
      sample,
      answerWithinMs,
      finalWithinMs,
    },
    fixtures,
    concurrency: 8,
    signal: new AbortController().signal,
  })
}

const failed = (outcomes: readonly CaseOutcome[]) =>
  outcomes
    .filter(({ verdict }) => verdict === 'FAILED')
    .map((one) => `${one.case.name}: ${one.got}`)

test('the reference acquirer passes every case, and none is skipped', async () => {
  await using acquirer = await new SmallAcquirer(keys).listen()
  const outcomes = await runAgainst(acquirer)
  expect(failed(outcomes)).toEqual([])
  expect(outcomes.filter(({ verdict }) => verdict === 'SKIPPED')).toEqual([])
  expect(outcomes).toHaveLength(allCases().length)
})

/** Chapters that together provoke answers of all statuses, from both endpoints. */
const anyAnswers = 'codes,inquiry,answers'

/** Short waits: only faults of orders that stay open or answers that are late reach them. */
const short: Bounds = { finalWithinMs: 1_000, answerWithinMs: 500 }

describe('an acquirer that', () => {
  test.each(faultyAcquirers)('$what is caught by $caughtBy', async ({ caughtBy, behaviours }) => {
    await using acquirer = await new SmallAcquirer(keys, { behaviours }).listen()
    const chapter = chapterOf({ name: caughtBy })
    const outcomes = await runAgainst(acquirer, {
      ...short,
      only: chapter === 'answers' ? anyAnswers : chapter,
    })
    expect(failed(outcomes).map((line) => line.split(':')[0])).toContain(caughtBy)
  })
})
