import { answer, inquiryAnswer } from '@placeorder/protocol'
import { expect, test } from 'vitest'
import { hearInquired, hearPlaced } from '../client/read-answer.ts'
import { heardWords } from './show.ts'
import { openTerminal } from './terminal.ts'

const screen = { write: () => true }
const terminal = openTerminal({ out: screen, err: screen, env: { NO_COLOR: '1' } })
const replyOf = (body: object) => ({
  kind: 'ANSWERED' as const,
  httpStatus: 200,
  headers: {},
  body: Buffer.from(JSON.stringify(body)),
  signature: 'GOOD' as const,
})
const state = {
  paymentId: 'P-1',
  paymentRequestId: 'R-1',
  order: {
    paymentAmount: { value: '1', currency: 'CNY' },
    settlementAmount: { value: '1', currency: 'CNY' },
  },
  claimedAt: 0,
  concludedAt: 1,
  outcome: 'SUCCESS' as const,
}

test.each([
  ['some', 'a\u001b[2J', '  passThroughInfo "a\\u001b[2J"'],
  ['none', undefined, ''],
])('%s that is passed through is shown, with escapes written out', (_, info, shown) => {
  const placed = hearPlaced(replyOf(answer('SUCCESS', 'R-1', info)))
  const told = hearInquired(replyOf(inquiryAnswer({ ...state, passThroughInfo: info })))
  for (const heard of [placed, told])
    expect(heardWords(heard, terminal)).toBe(`S SUCCESS  paymentRequestId R-1${shown}`)
})
