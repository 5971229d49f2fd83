import { setImmediate } from 'node:timers/promises'
import { answer, Refusal } from '@placeorder/protocol'
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

/** Why an order is refused now; undefined if it is let in. */
async function refusal(
  admission: Admission,
  of: { clientId: string; ordersPerSecondMax?: number } = client,
): Promise<string | undefined> {
  let letIn = false
  try {
    await admission.admitted(of, async () => {
      letIn = true
      return answer('SUCCESS')
    })
    return undefined
  } catch (error) {
    expect(error).toBeInstanceOf(Refusal)
    expect(error).toMatchObject({ code: 'REQUEST_TRAFFIC_EXCEED_LIMIT' })
    expect(letIn).toBe(false)
    return error instanceof Error ? error.message : ''
  }
}

test('past the orders in hand, until one of them is answered', async () => {
  const admission = admissionWith()
  const answered = Promise.withResolvers<ReturnType<typeof answer>>()
  const inHand = Array.from({ length: 3 }, () => admission.admitted(client, () => answered.promise))
  expect(await refusal(admission)).toBe('3 orders are in hand here')
  answered.resolve(answer('SUCCESS'))
  await Promise.all(inHand)
  expect(await refusal(admission)).toBeUndefined()
})

test('past the open orders', async () => {
  expect(await refusal(admissionWith(4))).toBeUndefined()
  expect(await refusal(admissionWith(5))).toBe('5 orders are open')
})

test('past a client’s rate, and that client alone', async () => {
  const admission = admissionWith()
  const limited = { clientId: 'C-2', ordersPerSecondMax: 2 }
  expect(await refusal(admission, limited)).toBeUndefined()
  expect(await refusal(admission, limited)).toBeUndefined()
  expect(await refusal(admission, limited)).toBe('the client sends more than 2 orders a second')
  expect(await refusal(admission, { ...limited, clientId: 'C-3' })).toBeUndefined()
  expect(await refusal(admission)).toBeUndefined()
})

test('while the event loop is late, until it is not', async () => {
  const admission = admissionWith()
  let reason: string | undefined
  for (let turns = 0; reason === undefined && turns < 50; turns += 1) {
    const until = performance.now() + 400
    while (performance.now() < until);
    await setImmediate()
    reason = await refusal(admission)
  }
  expect(reason).toMatch(/^the event loop is \d+ ms late$/)
  await expect.poll(() => refusal(admission), { timeout: 5_000 }).toBeUndefined()
})
