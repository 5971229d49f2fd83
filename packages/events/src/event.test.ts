import fc from 'fast-check'
import { expect, test } from 'vitest'
import { eventIdOf, eventOf, OrderEvent, type OrderOutcome } from './event.ts'
import { passes } from './filter.ts'

const outcome: OrderOutcome = {
  acquirerId: 'A/1',
  paymentId: 'P-1',
  paymentRequestId: 'R-1',
  pspId: 'PSP',
  code: 'SUCCESS',
  paymentAmount: { value: '100', currency: 'CNY' },
  settlementAmount: { value: '14', currency: 'USD' },
  referenceMerchantId: 'M-1',
  referenceStoreId: 'S-1',
  claimedAt: Date.parse('2026-03-01T08:00:00.120Z'),
  concludedAt: Date.parse('2026-03-01T08:00:00.150Z'),
  personal: { codeValue: '2810', customerId: 'C-1', env: { clientIp: '192.0.2.1' } },
}

test('an event is a CloudEvent with the eight fields that receivers rely on', () => {
  const event = eventOf(outcome)
  expect(OrderEvent.parse(event)).toEqual(event)
  expect(event).toMatchObject({
    specversion: '1.0',
    source: '/placeorder/A%2F1',
    type: 'order.placed',
    subject: 'P-1',
    time: '2026-03-01T08:00:00.150Z',
    datacontenttype: 'application/json',
  })
  expect(Object.keys(event)).toHaveLength(8)
})

test.each([
  ['SUCCESS', 'order.placed'],
  ['RISK_REJECT', 'order.refused'],
  ['PROCESS_FAIL', 'order.abandoned'],
] as const)('%s is %s', (code, type) => {
  expect(eventOf({ ...outcome, code }).type).toBe(type)
})

test('code, customer and env are in an event only if a sink asks for them', () => {
  const text = JSON.stringify(eventOf(outcome))
  for (const personal of ['2810', 'C-1', '192.0.2.1']) expect(text).not.toContain(personal)
  expect(eventOf(outcome, true).data).toMatchObject(outcome.personal ?? {})
})

test('the id of an event of this version never changes', () => {
  expect(eventOf(outcome).id).toBe('iNUnSiG_TrNBctPgQ1SWA-')
})

test('no two orders share the id of an event, whatever is in their ids', () => {
  const texts = fc.array(fc.string({ unit: fc.constantFrom('a', '"', ',', ':', '\\') }), {
    minLength: 4,
    maxLength: 4,
  })
  fc.assert(
    fc.property(texts, ([a = '', b = '', c = '', d = '']) => {
      fc.pre(a !== c || b !== d)
      expect(eventIdOf(a, b, 'order.placed')).not.toBe(eventIdOf(c, d, 'order.placed'))
    }),
  )
})

test.each([
  ['nothing', {}, true],
  ['its type', { types: ['order.placed'] }, true],
  ['another type', { types: ['order.refused'] }, false],
  ['its merchant', { merchants: ['M-1'] }, true],
  ['another merchant', { merchants: ['M-2'] }, false],
  ['its psp, and another merchant', { psps: ['PSP'], merchants: ['M-2'] }, false],
])('a sink that filters by %s', (_what, filter, isSent) => {
  expect(passes(filter, eventOf(outcome))).toBe(isSent)
})
