import { expect, test } from 'vitest'
import { Hand } from './hand.ts'

const WAIT_MS = 3_000
const IN_HAND_MAX = 2_000

/**
 * Orders come at one rate and are served at another, first come first served; those that wait too long go unserved.
 * Tells how many were served, and how long the slowest of them took (ms).
 */
function simulate({
  comeASecond,
  servedASecond,
  forMs,
}: Record<'comeASecond' | 'servedASecond' | 'forMs', number>) {
  let now = 0
  const hand = new Hand(WAIT_MS, () => now)
  const queue: { since: number; putAway: (served: boolean) => void }[] = []
  const told = { came: 0, refused: 0, served: 0, late: 0, slowestMs: 0 }
  let come = 0
  let serve = 0
  for (; now < forMs; now += 1) {
    for (come += comeASecond / 1_000; come >= 1; come -= 1) {
      told.came += 1
      if (hand.size >= IN_HAND_MAX || hand.tooLongMs !== undefined) told.refused += 1
      else queue.push({ since: now, putAway: hand.take() })
    }
    for (
      serve = Math.min(serve + servedASecond / 1_000, 1);
      serve >= 1 && queue.length > 0;
      serve -= 1
    ) {
      const { since, putAway } = queue.shift() ?? { since: 0, putAway: () => {} }
      const ms = now - since
      putAway(ms <= WAIT_MS)
      if (ms > WAIT_MS) told.late += 1
      else told.served += 1
      if (ms <= WAIT_MS) told.slowestMs = Math.max(told.slowestMs, ms)
    }
  }
  return told
}

test.each([
  [10, 1_000],
  [900, 1_000],
  [50, 60],
])(
  'at %i orders a second of %i that can be served, none is refused',
  (comeASecond, servedASecond) => {
    expect(simulate({ comeASecond, servedASecond, forMs: 20_000 })).toMatchObject({
      refused: 0,
      late: 0,
    })
  },
)

test.each([
  [300, 100],
  [1_500, 500],
  [10_000, 1_000],
])(
  'at %i orders a second of %i that can be served, those that are taken are served in time',
  (comeASecond, servedASecond) => {
    const told = simulate({ comeASecond, servedASecond, forMs: 30_000 })
    expect(told.late).toBe(0)
    expect(told.served).toBeGreaterThan(0.9 * servedASecond * 30)
    expect(told.slowestMs).toBeLessThan(0.75 * WAIT_MS)
  },
)

test('a burst upon rest is taken: nothing says yet that it could not be served', () => {
  const hand = new Hand(WAIT_MS, () => 5_000)
  const taken = Array.from({ length: 2_000 }, () =>
    hand.tooLongMs === undefined ? hand.take() : undefined,
  )
  expect(taken.every((putAway) => putAway !== undefined)).toBe(true)
})

test('with nobody serving, few are taken; once some are served again, so are many', () => {
  let now = 0
  const hand = new Hand(WAIT_MS, () => now)
  const held: ((served: boolean) => void)[] = []
  const come = () => hand.tooLongMs === undefined && held.push(hand.take())
  for (; now < 2_000; now += 1) come()
  expect(held.length).toBeLessThan(500)
  const before = held.length
  for (const putAway of held.splice(0)) putAway(false)
  for (; now < 3_000; now += 1) come()
  expect(before).toBeGreaterThan(0)
  for (; now < 6_000; now += 1) {
    held.shift()?.(true)
    come()
  }
  expect(hand.tooLongMs).toBeUndefined()
})

test('whoever was put away is in hand no more', () => {
  const hand = new Hand(WAIT_MS)
  const putAway = hand.take()
  expect(hand.size).toBe(1)
  putAway(false)
  expect(hand.size).toBe(0)
})
