import { setImmediate } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { Admission } from './admission.ts'

const limits = { inFlightMax: 3, openOrdersMax: 5, waitMs: 3_000 }
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

test.each(['place', 'inquire'] as const)(
  '%s is refused past the bound in flight, until one is answered',
  (kind) => {
    const admission = admissionWith()
    const taken = Array.from({ length: 3 }, () => admission.admit(kind, client))
    expect(admission.reasonToRefuse(kind, client)).toBe('3 are in flight here')
    expect(admission.reasonToRefuse(kind === 'place' ? 'inquire' : 'place', client)).toBeUndefined()
    taken[0]?.(true)
    expect(admission.reasonToRefuse(kind, client)).toBeUndefined()
  },
)

test('inquiries leave room for the signatures of orders, not the reverse', () => {
  const admission = new Admission(
    { ...limits, inFlightMax: 1_000 },
    () => 0,
    () => 30,
  )
  opened.push(admission)
  const taken = (kind: 'place' | 'inquire') => {
    let took = 0
    for (; admission.reasonToRefuse(kind, client) === undefined; took += 1)
      admission.admit(kind, client)
    return took
  }
  expect(taken('inquire')).toBe(45) // Of the 50 that can be signed in half the wait.
  expect(taken('place')).toBe(45)
  expect(admission.reasonToRefuse('inquire', { clientId: 'C-2' })).toBeUndefined()
})

test('orders are refused past the bound of open orders', () => {
  expect(admissionWith(4).reasonToRefuse('place', client)).toBeUndefined()
  expect(admissionWith(5).reasonToRefuse('place', client)).toBe('5 orders are open')
})

test('a client with its share of the open orders leaves the rest to others', () => {
  const shares: Record<string, number> = { A: 0.9, B: 0.1 }
  const refusedAt = (open: number): string[] => {
    const admission = new Admission(
      { ...limits, openOrdersMax: 900 },
      () => open,
      () => 0,
      (clientId) => shares[clientId] ?? 0,
    )
    opened.push(admission)
    return ['A', 'B', 'C'].filter((clientId) => admission.reasonToRefuse('place', { clientId }))
  }
  expect(refusedAt(700)).toEqual([])
  expect(refusedAt(810)).toEqual(['A'])
  expect(refusedAt(899)).toEqual(['A', 'B'])
  expect(refusedAt(900)).toEqual(['A', 'B', 'C'])
})

test('a client past its rate is refused, and no other', () => {
  const admission = admissionWith()
  const limited = { clientId: 'C-2', ordersPerSecondMax: 2 }
  expect(admission.reasonToRefuse('place', limited)).toBeUndefined()
  expect(admission.reasonToRefuse('place', limited)).toBeUndefined()
  expect(admission.reasonToRefuse('place', limited)).toBe('the client sends more than 2 a second')
  expect(admission.reasonToRefuse('place', { ...limited, clientId: 'C-3' })).toBeUndefined()
  expect(admission.reasonToRefuse('place', client)).toBeUndefined()
})

test('orders are refused while the event loop is late', async () => {
  const admission = admissionWith()
  let reason: string | undefined
  for (let turns = 0; reason === undefined && turns < 50; turns += 1) {
    const until = performance.now() + 400
    while (performance.now() < until);
    await setImmediate()
    reason = admission.reasonToRefuse('place', client)
  }
  expect(reason).toMatch(/^the event loop is \d+ ms late$/)
  await expect
    .poll(() => admission.reasonToRefuse('place', client), { timeout: 5_000 })
    .toBeUndefined()
})
