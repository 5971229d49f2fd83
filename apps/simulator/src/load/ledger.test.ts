import { describe, expect, test } from 'vitest'
import type { ParsedAnswer } from '../client/read-answer.ts'
import { Ledger } from './ledger.ts'
import type { Kind } from './mix.ts'

const told = (code: string, status: 'S' | 'F' | 'U', paymentRequestId?: string): ParsedAnswer => ({
  kind: 'RESULT',
  code,
  status,
  ...(paymentRequestId === undefined ? {} : { paymentRequestId }),
})
const success = told('SUCCESS', 'S', 'R1')
const refused = told('RISK_REJECT', 'F')
const inProcess = told('PAYMENT_IN_PROCESS', 'U')
const traffic = told('REQUEST_TRAFFIC_EXCEED_LIMIT', 'U')
const noOrder: ParsedAnswer = { kind: 'NO_ORDER' }
const nothing: ParsedAnswer = { kind: 'NOTHING', reason: 'connection lost' }

const before = { askedAt: 0, toldAt: 10 }
const after = { askedAt: 20, toldAt: 30 }
const meanwhile = { askedAt: 5, toldAt: 30 }

describe('contradicts an earlier answer', () => {
  test.each<[string, ParsedAnswer, Kind, ParsedAnswer]>([
    ['another paymentRequestId', success, 'repeat', told('SUCCESS', 'S', 'R2')],
    ['no paymentRequestId any more', success, 'repeat', told('SUCCESS', 'S')],
    ['F after S', success, 'repeat', refused],
    ['S after F', refused, 'inquiry', success],
    ['another F', refused, 'repeat', told('PROCESS_FAIL', 'F')],
    ['in process after S', success, 'repeat', inProcess],
    ['in process after F', refused, 'inquiry', inProcess],
    ['no such order after S', success, 'inquiry', noOrder],
    ['another amount accepted', success, 'inconsistent', success],
    ['another amount refused for another reason', success, 'inconsistent', refused],
  ])('%s', (_name, first, kind, then) => {
    const ledger = new Ledger()
    ledger.tell('P', 'new', first, before)
    ledger.tell('P', kind, then, after)
    expect(ledger.contradictions).toHaveLength(1)
  })
})

describe('does not contradict', () => {
  test.each<[string, ParsedAnswer, Kind, ParsedAnswer]>([
    ['the same again', success, 'repeat', success],
    ['the same to an inquiry', success, 'inquiry', success],
    ['final after U', inProcess, 'repeat', success],
    ['refused at the endpoint after S', success, 'repeat', traffic],
    ['lost after S', success, 'repeat', nothing],
    ['no such order after a refusal, which may leave no trace', refused, 'inquiry', noOrder],
    [
      'another amount refused as inconsistent',
      success,
      'inconsistent',
      told('REPEAT_REQ_INCONSISTENT', 'F'),
    ],
    ['another amount refused at the endpoint', success, 'inconsistent', traffic],
    ['another amount accepted after a refusal', refused, 'inconsistent', success],
  ])('%s', (_name, first, kind, then) => {
    const ledger = new Ledger()
    ledger.tell('P', 'new', first, before)
    ledger.tell('P', kind, then, after)
    expect(ledger.contradictions).toEqual([])
  })

  test('in process, when it was asked before the final answer was there', () => {
    const ledger = new Ledger()
    ledger.tell('P', 'new', success, before)
    ledger.tell('P', 'repeat', inProcess, meanwhile)
    expect(ledger.contradictions).toEqual([])
  })

  test('what was told of another order', () => {
    const ledger = new Ledger()
    ledger.tell('P', 'new', success, before)
    ledger.tell('Q', 'new', refused, after)
    expect(ledger.contradictions).toEqual([])
  })
})

test('the refusal of another amount is not the order’s own answer', () => {
  const ledger = new Ledger()
  ledger.tell('P', 'inconsistent', told('REPEAT_REQ_INCONSISTENT', 'F'), before)
  ledger.tell('P', 'repeat', success, after)
  expect(ledger.contradictions).toEqual([])
})
