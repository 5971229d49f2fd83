import { expect, test } from 'vitest'
import { FairQueue } from './fair-queue.ts'

/** A queue with these items; the first letter of each is its flow. */
function queueOf(...items: string[]): FairQueue<string> {
  const queue = new FairQueue<string>()
  for (const item of items) queue.add(item.slice(0, 1), item)
  return queue
}

function drained(queue: FairQueue<string>): string {
  const taken: string[] = []
  for (let item = queue.next(); item !== undefined; item = queue.next()) taken.push(item)
  return taken.join(' ')
}

test.each([
  ['one flow is served in its order', ['a1', 'a2', 'a3'], 'a1 a2 a3'],
  ['two flows take turns', ['a1', 'a2', 'a3', 'b1', 'b2'], 'a1 b1 a2 b2 a3'],
  ['three flows take turns', ['a1', 'a2', 'a3', 'b1', 'c1', 'c2'], 'a1 b1 c1 a2 c2 a3'],
  ['an empty queue has no item', [], ''],
])('%s', (_what, items, order) => {
  expect(drained(queueOf(...items))).toBe(order)
})

test('a new flow waits for one of another’s thousand items', () => {
  const queue = queueOf(...Array.from({ length: 1_000 }, (_, at) => `a${at}`))
  queue.next()
  queue.add('b', 'b1')
  expect([queue.next(), queue.next()]).toEqual(['a1', 'b1'])
})

test('a removed item has no turn, and is removed once', () => {
  const queue = queueOf('a1', 'a2', 'b1')
  expect(queue.delete('a', 'a1')).toBe(true)
  expect(queue.delete('a', 'a1')).toBe(false)
  expect(queue.delete('c', 'a2')).toBe(false)
  expect([queue.size, queue.sizeOf('a'), queue.sizeOf('b'), queue.sizeOf('c')]).toEqual([
    2, 1, 1, 0,
  ])
  expect(drained(queue)).toBe('a2 b1')
  expect([queue.size, queue.sizeOf('a')]).toEqual([0, 0])
})
