import { expect, test } from 'vitest'
import { Random } from './random.ts'

const some = (random: Random) => Array.from({ length: 5 }, () => random.next())

test('the same seed gives the same numbers, another seed others', () => {
  expect(some(new Random(7))).toEqual(some(new Random(7)))
  expect(some(new Random(7))).not.toEqual(some(new Random(8)))
})

test('a fork gives the same numbers, however other forks were used', () => {
  const random = new Random(7)
  const used = random.fork(1)
  some(used)
  expect(some(random.fork(2))).toEqual(some(new Random(7).fork(2)))
  expect(some(random.fork(2))).not.toEqual(some(random.fork(1)))
})

test('whole numbers are within their bounds, and reach both', () => {
  const random = new Random(1)
  const drawn = new Set(Array.from({ length: 200 }, () => random.whole(3, 6)))
  expect([...drawn].sort()).toEqual([3, 4, 5, 6])
})

test('choices come in proportion to their weights', () => {
  const random = new Random(1)
  const drawn = Array.from({ length: 4_000 }, () => random.weighted({ often: 3, seldom: 1 }))
  expect(drawn.filter((name) => name === 'often').length / 4_000).toBeCloseTo(0.75, 1)
})

test('shuffling keeps all items, in another order', () => {
  const items = Array.from({ length: 50 }, (_, i) => i)
  const shuffled = new Random(1).shuffled(items)
  expect(shuffled).not.toEqual(items)
  expect(shuffled.sort((a, b) => a - b)).toEqual(items)
})
