import fc from 'fast-check'
import { expect, test } from 'vitest'
import { namesOf, OrderId, orderIdOf } from './keys.ts'

const text = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1, maxLength: 8 }),
  fc.string({ unit: fc.constantFrom(':', '%', '3', 'A', '2', '5', ' ', '{', '}', '\0', '\n') }),
)
const names = fc.record({ acquirerId: text, paymentId: text })

test('an OrderId gives back both ids it was made of', () => {
  fc.assert(
    fc.property(names, (ids) => {
      expect(namesOf(orderIdOf(ids))).toEqual(ids)
    }),
    { numRuns: 1_000 },
  )
})

test.each([
  [{ acquirerId: 'A', paymentId: 'B:C' }, 'A:B:C'],
  [{ acquirerId: 'A:B', paymentId: 'C' }, 'A%3AB:C'],
  [{ acquirerId: 'A%3AB', paymentId: 'C' }, 'A%253AB:C'],
  [{ acquirerId: ':', paymentId: ':' }, '%3A::'],
])('the OrderId of %j is %s', (ids, orderId) => {
  expect(orderIdOf(ids)).toBe(orderId)
})

test.each(['', 'P-1', '%3A'])(
  'a text that is not an OrderId is a paymentId without an acquirer: %j',
  (text) => {
    expect(namesOf(OrderId.parse(text))).toEqual({ acquirerId: '', paymentId: text })
  },
)

test('an OrderId of usual ids is one byte longer than they are', () => {
  const ids = { acquirerId: '1020000000000000001', paymentId: '2010000000000000000000000007771' }
  expect(orderIdOf(ids)).toHaveLength(ids.acquirerId.length + ids.paymentId.length + 1)
})
