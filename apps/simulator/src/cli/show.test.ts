import { answer, inquiryAnswer } from '@placeorder/protocol'
import { expect, test } from 'vitest'
import { parseInquiryAnswer, parsePlaceAnswer } from '../client/read-answer.ts'
import { describeAnswer } from './show.ts'
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
  ['any', 'a\u001b[2J', '  passThroughInfo "a\\u001b[2J"'],
  ['no', undefined, ''],
])('%s passThroughInfo is shown, with control characters escaped', (_, info, shown) => {
  const placed = parsePlaceAnswer(replyOf(answer('SUCCESS', 'R-1', info)))
  const inquired = parseInquiryAnswer(replyOf(inquiryAnswer({ ...state, passThroughInfo: info })))
  for (const parsed of [placed, inquired])
    expect(describeAnswer(parsed, terminal)).toBe(`S SUCCESS  paymentRequestId R-1${shown}`)
})
