import { describe, expect, test } from 'vitest'
import type { ParsedAnswer } from '../client/read-answer.ts'
import { Ledger } from './ledger.ts'
import type { LoadKind } from './mix.ts'

const result = (
  code: string,
  status: 'S' | 'F' | 'U',
  paymentRequestId?: string,
): ParsedAnswer => ({
  kind: 'RESULT',
  code,
  status,
  ...(paymentRequestId === undefined ? {} : { paymentRequestId }),
})
const success = result('SUCCESS', 'S', 'R1')
const refused = result('RISK_REJECT', 'F')
const inProcess = result('PAYMENT_IN_PROCESS', 'U')
const traffic = result('REQUEST_TRAFFIC_EXCEED_LIMIT', 'U')
const noOrder: ParsedAnswer = { kind: 'NO_ORDER' }
const nothing: ParsedAnswer = { kind: 'NOTHING', reason: 'connection lost' }

const before = { sentAt: 0, answeredAt: 10 }
const after = { sentAt: 20, answeredAt: 30 }
const meanwhile = { sentAt: 5, answeredAt: 30 }

describe('an earlier answer is contradicted by', () => {
  test.each<[string, ParsedAnswer, LoadKind, ParsedAnswer]>([
    ['another paymentRequestId', success, 'repeat', result('SUCCESS', 'S', 'R2')],
    ['no paymentRequestId any more', success, 'repeat', result('SUCCESS', 'S')],
    ['F after S', success, 'repeat', refused],
    ['S after F', refused, 'inquiry', success],
    ['another F', refused, 'repeat', result('PROCESS_FAIL', 'F')],
    ['in process after S', success, 'repeat', inProcess],
    ['in process after F', refused, 'inquiry', inProcess],
    ['no such order after S', success, 'inquiry', noOrder],
    ['another amount accepted', success, 'inconsistent', success],
    ['another amount refused for another reason', success, 'inconsistent', refused],
  ])('%s', (_name, first, kind, then) => {
    const ledger = new Ledger()
    ledger.record('P', 'new', first, before)
    ledger.record('P', kind, then, after)
    expect(ledger.contradictions).toHaveLength(1)
  })
})

describe('no earlier answer is contradicted by', () => {
  test.each<[string, ParsedAnswer, LoadKind, ParsedAnswer]>([
    ['the same again', success, 'repeat', success],
    ['the same to an inquiry', success, 'inquiry', success],
    ['final after U', inProcess, 'repeat', success],
    ['refused at the endpoint after S', success, 'repeat', traffic],
    ['lost after S', success, 'repeat', nothing],
    ['no such order after a refusal, which may not be stored', refused, 'inquiry', noOrder],
    [
      'another amount refused as inconsistent',
      success,
      'inconsistent',
      result('REPEAT_REQ_INCONSISTENT', 'F'),
    ],
    ['another amount refused at the endpoint', success, 'inconsistent', traffic],
    ['another amount accepted after a refusal', refused, 'inconsistent', success],
  ])('%s', (_name, first, kind, then) => {
    const ledger = new Ledger()
    ledger.record('P', 'new', first, before)
    ledger.record('P', kind, then, after)
    expect(ledger.contradictions).toEqual([])
  })

  test('in process, when it was sent before the final answer came', () => {
    const ledger = new Ledger()
    ledger.record('P', 'new', success, before)
    ledger.record('P', 'repeat', inProcess, meanwhile)
    expect(ledger.contradictions).toEqual([])
  })

  test('an answer about another order', () => {
    const ledger = new Ledger()
    ledger.record('P', 'new', success, before)
    ledger.record('Q', 'new', refused, after)
    expect(ledger.contradictions).toEqual([])
  })
})

test("the refusal of another amount is not the order's own answer", () => {
  const ledger = new Ledger()
  ledger.record('P', 'inconsistent', result('REPEAT_REQ_INCONSISTENT', 'F'), before)
  ledger.record('P', 'repeat', success, after)
  expect(ledger.contradictions).toEqual([])
})
