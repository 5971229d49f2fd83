import { orderIdOf } from '@placeorder/store'
import { aPlaceOrder } from '@placeorder/testkit'
import { expect, test } from 'vitest'
import { guard } from './guard.ts'

const order = aPlaceOrder()
const orderId = orderIdOf(order)

/** A store behind a guard that refuses from a number of looks on, and what it was asked. */
function guardedStore(refusedFrom: number) {
  const asked: string[] = []
  let looks = 0
  const demand = () => {
    looks += 1
    if (looks >= refusedFrom) throw new Error('Redis is older than it was')
  }
  const intake = {
    accept: async () => {
      asked.push('accept')
      return { kind: 'INCONSISTENT' } as const
    },
  }
  const finder = {
    find: async () => {
      asked.push('find')
      return undefined
    },
  }
  return { asked, ...guard({ intake, finder }, demand) }
}
const incoming = { order, clientId: 'C-1' }
const { signal } = new AbortController()

test('nothing is claimed or looked for while Redis must not be used', async () => {
  const { asked, intake, finder } = guardedStore(1)
  await expect(intake.accept(incoming, signal)).rejects.toThrow('older')
  await expect(finder.find(orderId)).rejects.toThrow('older')
  expect(asked).toEqual([])
})

test('what was found is not believed if Redis must not be used by then', async () => {
  const { asked, finder } = guardedStore(2)
  await expect(finder.find(orderId)).rejects.toThrow('older')
  expect(asked).toEqual(['find'])
})

test('a Redis that may be used answers', async () => {
  const { intake, finder } = guardedStore(9)
  expect(await intake.accept(incoming, signal)).toEqual({ kind: 'INCONSISTENT' })
  expect(await finder.find(orderId)).toBeUndefined()
})
