import { setImmediate } from 'node:timers/promises'
import { answer } from '@placeorder/protocol'
import { afterEach, expect, test } from 'vitest'
import { Admission } from './admission.ts'

const limits = { inHandMax: 3, openOrdersMax: 5, waitMs: 3_000 }
const client = { clientId: 'C-1' }
const opened: Admission[] = []
afterEach(() => {
  for (const admission of opened.splice(0)) admission.close()
})

function admissionWith(openOrders = 0): Admission {
  const admission = new Admission(limits, () => openOrders)
  opened.push(admission)
  return admission
}

test('past the orders in hand, until one of them is answered', async () => {
  const admission = admissionWith()
  const answered = Promise.withResolvers<ReturnType<typeof answer>>()
  const inHand = Array.from({ length: 3 }, () => admission.admitted(() => answered.promise))
  expect(admission.tooMuch(client)).toBe('3 orders are in hand here')
  answered.resolve(answer('SUCCESS'))
  await Promise.all(inHand)
  expect(admission.tooMuch(client)).toBeUndefined()
})

test('past the open orders', () => {
  expect(admissionWith(4).tooMuch(client)).toBeUndefined()
  expect(admissionWith(5).tooMuch(client)).toBe('5 orders are open')
})

test('past a client’s rate, and that client alone', () => {
  const admission = admissionWith()
  const limited = { clientId: 'C-2', ordersPerSecondMax: 2 }
  expect(admission.tooMuch(limited)).toBeUndefined()
  expect(admission.tooMuch(limited)).toBeUndefined()
  expect(admission.tooMuch(limited)).toBe('the client sends more than 2 orders a second')
  expect(admission.tooMuch({ ...limited, clientId: 'C-3' })).toBeUndefined()
  expect(admission.tooMuch(client)).toBeUndefined()
})

test('while the event loop is late, until it is not', async () => {
  const admission = admissionWith()
  let reason: string | undefined
  for (let turns = 0; reason === undefined && turns < 50; turns += 1) {
    const until = performance.now() + 400
    while (performance.now() < until);
    await setImmediate()
    reason = admission.tooMuch(client)
  }
  expect(reason).toMatch(/^the event loop is \d+ ms late$/)
  await expect.poll(() => admission.tooMuch(client), { timeout: 5_000 }).toBeUndefined()
})
