import { expect, test } from 'vitest'
import { CALLERS, type Pause } from './history.ts'
import { Pauses } from './pauses.ts'

const call = { ingress: 'ingress-1', sentAt: 1_000, endedAt: 3_000 }
const away = (who: string, from: number, to: number, more: Partial<Pause> = {}): Pause => ({
  who,
  why: 'STARVED',
  from,
  to,
  ms: to - from,
  ...more,
})

test.each<[string, Pause[], number]>([
  ['nobody was away', [], 2_000],
  ['its ingress was', [away('ingress-1', 1_500, 2_000)], 1_500],
  ['another ingress was', [away('ingress-2', 1_500, 2_000)], 2_000],
  ['before, and on into it', [away('ingress-1', 0, 1_250)], 1_750],
  ['after it', [away('ingress-1', 3_000, 9_000)], 2_000],
  ['for a part of a time', [away('ingress-1', 1_500, 2_500, { ms: 300 })], 1_700],
  [
    'both, one after the other',
    [away('ingress-1', 1_000, 1_500), away(CALLERS, 2_000, 2_500)],
    1_000,
  ],
  ['both at once', [away('ingress-1', 1_000, 1_500), away(CALLERS, 1_000, 1_500)], 1_500],
  ['both, in part at once', [away('ingress-1', 1_000, 2_000), away(CALLERS, 1_500, 2_500)], 500],
  ['a killed one is not waited for', [away('ingress-1', 1_000, 2_000, { why: 'KILLED' })], 2_000],
  [
    'a long one, behind many short ones',
    [
      away('ingress-1', 0, 2_900),
      ...Array.from({ length: 99 }, (_, i) => away('ingress-1', 2_900 + i, 2_901 + i)),
    ],
    1,
  ],
])('what a call took, when %s', (_name, pauses, ms) => {
  expect(new Pauses(pauses).netMs(call)).toBeCloseTo(ms, 6)
})
