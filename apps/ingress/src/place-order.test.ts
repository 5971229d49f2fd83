import { answer, type PlaceOrderAnswer, type ResultCode } from '@placeorder/protocol'
import type { Accepted, Outcome } from '@placeorder/store'
import { aPlaceOrder } from '@placeorder/testkit'
import { describe, expect, test } from 'vitest'
import { Deadlines } from './deadlines.ts'
import { type PlaceOrderDeps, placeOrder } from './place-order.ts'

const incoming = { order: aPlaceOrder(), clientId: 'C-1' }
const open = { kind: 'OPEN', paymentRequestId: 'R-1', repeated: false } as const

/** A store that behaves as a test wants. */
function storeThat({
  accept = async () => open,
  announce,
  outcome = async () => undefined,
  replicated = async () => true,
  waitMs = 50,
}: {
  accept?: PlaceOrderDeps['intake']['accept']
  announce?: (say: (outcome: ResultCode | Outcome) => void) => void
  outcome?: () => Promise<Outcome | undefined>
  replicated?: () => Promise<boolean>
  waitMs?: number
}): PlaceOrderDeps {
  return {
    intake: { accept },
    orders: {
      during: async (_paymentId, signal, body) => {
        const announced = Promise.withResolvers<ResultCode | Outcome>()
        announced.promise.catch(() => {})
        signal.addEventListener('abort', () => announced.reject(signal.reason), { once: true })
        announce?.(announced.resolve)
        return body(announced.promise)
      },
      outcomeOf: outcome,
    },
    durability: { replicated },
    deadlines: new Deadlines(),
    stage: () => {},
    onFault: () => {},
    waitMs,
  }
}

const codeOf = async (deps: PlaceOrderDeps) => (await placeOrder(incoming, deps)).result.resultCode

test.each([
  [{ kind: 'CONCLUDED', paymentRequestId: 'R-1', outcome: 'SUCCESS' }, 'SUCCESS'],
  [{ kind: 'INCONSISTENT' }, 'REPEAT_REQ_INCONSISTENT'],
] as const)('an archived order that is %j is answered without the replicas', async (kept, code) => {
  const accept = async () => ({ ...kept, archived: true }) as const
  expect(await codeOf(storeThat({ accept, replicated: async () => false }))).toBe(code)
  expect(await codeOf(storeThat({ accept: async () => kept, replicated: async () => false }))).toBe(
    'UNKNOWN_EXCEPTION',
  )
})

describe('an outcome is answered whenever it is announced', () => {
  test('with its passThroughInfo', async () => {
    const expected = { result: { resultCode: 'SUCCESS' }, passThroughInfo: '{"a": "b"}' }
    const info = 'SUCCESS {"a": "b"}' as const
    const concluded = { kind: 'CONCLUDED', paymentRequestId: 'R-1', outcome: info } as const
    for (const changes of [
      { announce: (say: (outcome: Outcome) => void) => say(info) },
      { accept: async () => concluded },
      { outcome: async () => info, waitMs: 1 },
    ])
      expect(await placeOrder(incoming, storeThat(changes))).toMatchObject(expected)
  })

  test('before the claim returns', async () => {
    const deps = storeThat({ announce: (say) => say('SUCCESS'), accept: async () => open })
    expect(await placeOrder(incoming, deps)).toMatchObject({
      result: { resultCode: 'SUCCESS' },
      paymentRequestId: 'R-1',
    })
  })

  test('while the claim returns', async () => {
    let say: (code: ResultCode) => void = () => {}
    const accept = async () => {
      say('EXPIRED_CODE')
      return open
    }
    expect(await codeOf(storeThat({ announce: (announced) => (say = announced), accept }))).toBe(
      'EXPIRED_CODE',
    )
  })

  test('after the claim', async () => {
    let say: (code: ResultCode) => void = () => {}
    const accept = async () => {
      setImmediate(() => say('RISK_REJECT'))
      return open
    }
    expect(await codeOf(storeThat({ announce: (announced) => (say = announced), accept }))).toBe(
      'RISK_REJECT',
    )
  })

  test('never, if the record has it at the deadline', async () => {
    expect(await codeOf(storeThat({ outcome: async () => 'SUCCESS' }))).toBe('SUCCESS')
  })
})

test('the reason why the last read fails is reported once', async () => {
  const fault = new Error('what is kept is not an outcome')
  const faults: unknown[] = []
  const deps = {
    ...storeThat({ outcome: () => Promise.reject(fault) }),
    onFault: (...[, error]: Parameters<PlaceOrderDeps['onFault']>) => void faults.push(error),
  }
  expect(await codeOf(deps)).toBe('PAYMENT_IN_PROCESS')
  expect(faults).toEqual([fault])
})

test.each([
  ['no outcome in time', {}, 'PAYMENT_IN_PROCESS'],
  [
    'the worker cannot decide now',
    { announce: (say) => say('UNKNOWN_EXCEPTION') },
    'UNKNOWN_EXCEPTION',
  ],
  [
    'the claim failed',
    { accept: () => Promise.reject(new Error('Redis is away')) },
    'UNKNOWN_EXCEPTION',
  ],
  [
    'the last read fails',
    { outcome: () => Promise.reject(new Error('Redis is away')) },
    'PAYMENT_IN_PROCESS',
  ],
  ['the last read hangs', { outcome: () => new Promise<never>(() => {}) }, 'PAYMENT_IN_PROCESS'],
  [
    'too few replicas have it',
    { announce: (say) => say('SUCCESS'), replicated: async () => false },
    'UNKNOWN_EXCEPTION',
  ],
  [
    'no replica answers',
    { announce: (say) => say('SUCCESS'), replicated: () => Promise.reject(new Error()) },
    'UNKNOWN_EXCEPTION',
  ],
  [
    'it is open, and too few replicas have that',
    { replicated: async () => false },
    'UNKNOWN_EXCEPTION',
  ],
  [
    'it is open, and no replica answers',
    { replicated: () => new Promise(() => {}) },
    'UNKNOWN_EXCEPTION',
  ],
  [
    'the terms differ from some that too few replicas have',
    { accept: async () => ({ kind: 'INCONSISTENT' }), replicated: async () => false },
    'UNKNOWN_EXCEPTION',
  ],
  [
    'the terms differ',
    { accept: async () => ({ kind: 'INCONSISTENT' }) },
    'REPEAT_REQ_INCONSISTENT',
  ],
  [
    'it was concluded before',
    {
      accept: async () => ({ kind: 'CONCLUDED', outcome: 'INVALID_CODE', paymentRequestId: 'R-1' }),
    },
    'INVALID_CODE',
  ],
] satisfies [string, Parameters<typeof storeThat>[0], ResultCode][])(
  '%s: %s',
  async (_name, behaviour, code) => {
    expect(await codeOf(storeThat(behaviour))).toBe(code)
  },
)

describe('the likely answer', () => {
  const likelyAnswersOf = async (accepted: Accepted) => {
    const expected: PlaceOrderAnswer[] = []
    const deps = storeThat({ accept: async () => accepted, announce: (say) => say('RISK_REJECT') })
    await placeOrder(incoming, deps, (answer) => expected.push(answer))
    return expected
  }

  test('of an accepted order is that it was placed', async () => {
    expect(await likelyAnswersOf(open)).toEqual([answer('SUCCESS', 'R-1')])
  })

  test.each<Accepted>([
    { kind: 'CONCLUDED', outcome: 'SUCCESS', paymentRequestId: 'R-1' },
    { kind: 'INCONSISTENT' },
  ])('is not reported where the answer is known: $kind', async (accepted) => {
    expect(await likelyAnswersOf(accepted)).toEqual([])
  })
})

test('only SUCCESS carries a paymentRequestId', async () => {
  const failed = await placeOrder(incoming, storeThat({ announce: (say) => say('INVALID_CODE') }))
  expect(failed).not.toHaveProperty('paymentRequestId')
})

test('a claim that never returns is aborted at the deadline', async () => {
  const accept: PlaceOrderDeps['intake']['accept'] = (_incoming, signal) =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  expect(await codeOf(storeThat({ accept }))).toBe('UNKNOWN_EXCEPTION')
})

test('a process that is shutting down answers at once with what it knows', async () => {
  const deps = storeThat({ waitMs: 60_000 })
  const answered = codeOf(deps)
  await new Promise((resolve) => setImmediate(resolve))
  deps.deadlines.abortAll()
  expect(await answered).toBe('PAYMENT_IN_PROCESS')
})
