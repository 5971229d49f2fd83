import { beforeAll, describe, expect, test } from 'vitest'
import { wrongAcquirers } from '../../test/faulty-behaviours.ts'
import { makeKeys } from '../../test/keys.ts'
import { COUNT_MAX, pendingMerchant } from '../../test/reference-behaviours.ts'
import { clientId, SmallAcquirer } from '../../test/small-acquirer.ts'
import { readSample } from '../cli/sample-order.ts'
import { groupOf } from './case.ts'
import { ANSWER_WITHIN_MS, allCases } from './cases/all-cases.ts'
import { type Fixtures, stateCodes } from './fixtures.ts'
import type { Fields } from './order.ts'
import { pick } from './pick.ts'
import { type Outcome, runCases } from './run-cases.ts'

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

async function put(acquirer: SmallAcquirer, bounds: Bounds = {}): Promise<Outcome[]> {
  const { only, answerWithinMs = ANSWER_WITHIN_MS, finalWithinMs = 20_000 } = bounds
  const { url, inquiryUrl } = acquirer
  const who = {
    url,
    inquiryUrl,
    clientId,
    key: keys.caller,
    keyVersion: '1',
    serverKey: keys.acquirerPublic,
  }
  return runCases(pick(allCases(answerWithinMs), { only }), {
    setting: {
      who: { ...who, tls: { rejectUnauthorized: true } },
      sample,
      answerWithinMs,
      finalWithinMs,
    },
    fixtures,
    concurrency: 8,
    signal: new AbortController().signal,
  })
}

const failed = (outcomes: readonly Outcome[]) =>
  outcomes
    .filter(({ verdict }) => verdict === 'FAILED')
    .map((one) => `${one.case.name}: ${one.got}`)

test('the right acquirer passes every case, and none is left out', async () => {
  await using acquirer = await new SmallAcquirer(keys).listen()
  const outcomes = await put(acquirer)
  expect(failed(outcomes)).toEqual([])
  expect(outcomes.filter(({ verdict }) => verdict === 'SKIPPED')).toEqual([])
  expect(outcomes).toHaveLength(allCases().length)
})

/** Every answer is judged by what these chapters provoke: all statuses, from both endpoints. */
const anyAnswers = 'codes,inquiry,answers'

/** Enough to know that an order does not end, or an answer comes late; nothing else waits so long here. */
const short: Bounds = { finalWithinMs: 1_000, answerWithinMs: 500 }

describe('an acquirer that', () => {
  test.each(wrongAcquirers)('$what is caught by $caughtBy', async ({ caughtBy, ways }) => {
    await using acquirer = await new SmallAcquirer(keys, { ways }).listen()
    const chapter = groupOf({ name: caughtBy })
    const outcomes = await put(acquirer, {
      ...short,
      only: chapter === 'answers' ? anyAnswers : chapter,
    })
    expect(failed(outcomes).map((line) => line.split(':')[0])).toContain(caughtBy)
  })
})
