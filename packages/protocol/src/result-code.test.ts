import { describe, expect, test } from 'vitest'
import { answer } from './place-order.ts'
import { finalCode, isFinal, messageOf, resultCodes, statusOf } from './result-code.ts'

test('there are 27 codes: one S, 23 F, three U', () => {
  const count = (status: string) => resultCodes.filter((code) => statusOf[code] === status).length
  expect([resultCodes.length, count('S'), count('F'), count('U')]).toEqual([27, 1, 23, 3])
})

test('each code has a message of its own', () => {
  expect(new Set(resultCodes.map((code) => messageOf[code])).size).toBe(27)
})

describe.each(resultCodes)('%s', (code) => {
  test('has its own status and message, and a paymentRequestId only with SUCCESS', () => {
    expect(answer(code, 'R-1')).toEqual({
      result: { resultCode: code, resultStatus: statusOf[code], resultMessage: messageOf[code] },
      ...(code === 'SUCCESS' ? { paymentRequestId: 'R-1' } : {}),
    })
  })
  test('is read back as final exactly if it is', () => {
    if (isFinal(code)) expect(finalCode(code)).toBe(code)
    else expect(() => finalCode(code)).toThrow('not final')
  })
})

test.each(['', 'success', 'toString', '__proto__', 'ORDER_NOT_EXIST'])(
  '"%s" is not a result code',
  (text) => {
    expect(() => finalCode(text)).toThrow('not a result code')
  },
)
