import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { UsageError } from '../cli/command.ts'
import { loadKinds, parseMix, planRequests } from './mix.ts'

describe('parseMix', () => {
  test('parses shares by name; a kind that is not named has none', () => {
    expect(parseMix('new=9, inquiry=0.5')).toEqual({
      new: 9,
      repeat: 0,
      inconsistent: 0,
      inquiry: 0.5,
    })
  })
  test.each(['', 'new', 'new=', 'new=-1', 'new=1,old=2', 'repeat=1', 'new=0,repeat=1'])(
    '%j is refused',
    (text) => {
      expect(() => parseMix(text)).toThrow(UsageError)
    },
  )
})

const anyMix = fc.record({
  new: fc.integer({ min: 1, max: 100 }),
  repeat: fc.integer({ min: 0, max: 100 }),
  inconsistent: fc.integer({ min: 0, max: 100 }),
  inquiry: fc.integer({ min: 0, max: 100 }),
})

describe('a plan', () => {
  test('has the shares of its mix', () => {
    const planned = planRequests(10_000, { new: 90, repeat: 6, inconsistent: 2, inquiry: 2 }, 40)
    const counts = loadKinds.map((kind) => planned.filter((one) => one.kind === kind).length)
    expect(counts).toEqual([9000, 600, 200, 200])
  })

  test('has the same mix in every part', () => {
    const planned = planRequests(2000, { new: 80, repeat: 20, inconsistent: 0, inquiry: 0 }, 10)
    for (let at = 100; at + 100 <= planned.length; at += 100) {
      const repeats = planned.slice(at, at + 100).filter(({ kind }) => kind === 'repeat').length
      expect(repeats).toBeGreaterThanOrEqual(18)
      expect(repeats).toBeLessThanOrEqual(22)
    }
  })

  test('repeats an order only after a gap, and numbers new orders from 0', () => {
    fc.assert(
      fc.property(
        anyMix,
        fc.integer({ min: 0, max: 300 }),
        fc.integer({ min: 0, max: 20 }),
        (mix, amount, gap) => {
          const planned = planRequests(amount, mix, gap)
          expect(planned).toHaveLength(amount)
          let orders = 0
          for (const { kind, order } of planned) {
            if (kind === 'new') expect(order).toBe(orders++)
            else expect(order).toBeLessThan(orders - gap)
          }
        },
      ),
    )
  })
})
