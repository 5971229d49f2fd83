import { expect, test } from 'vitest'
import { CALLERS, type Pause } from './history.ts'
import { Pauses } from './pauses.ts'

const call = { ingress: 'ingress-1', sentAt: 1_000, endedAt: 3_000 }
const pause = (who: string, from: number, to: number, more: Partial<Pause> = {}): Pause => ({
  who,
  why: 'STARVED',
  from,
  to,
  ms: to - from,
  ...more,
})

test.each<[string, Pause[], number]>([
  ['nobody paused', [], 2_000],
  ['its ingress did', [pause('ingress-1', 1_500, 2_000)], 1_500],
  ['another ingress did', [pause('ingress-2', 1_500, 2_000)], 2_000],
  ['its ingress did before and during it', [pause('ingress-1', 0, 1_250)], 1_750],
  ['its ingress did after it', [pause('ingress-1', 3_000, 9_000)], 2_000],
  [
    'its ingress starved for a part of a pause',
    [pause('ingress-1', 1_500, 2_500, { ms: 300 })],
    1_700,
  ],
  [
    'ingress and callers did, one after the other',
    [pause('ingress-1', 1_000, 1_500), pause(CALLERS, 2_000, 2_500)],
    1_000,
  ],
  ['both did at once', [pause('ingress-1', 1_000, 1_500), pause(CALLERS, 1_000, 1_500)], 1_500],
  [
    'both did, partly at once',
    [pause('ingress-1', 1_000, 2_000), pause(CALLERS, 1_500, 2_500)],
    500,
  ],
  [
    'its ingress was killed, which is not excused',
    [pause('ingress-1', 1_000, 2_000, { why: 'KILLED' })],
    2_000,
  ],
  [
    'a long pause came before many short ones',
    [
      pause('ingress-1', 0, 2_900),
      ...Array.from({ length: 99 }, (_, i) => pause('ingress-1', 2_900 + i, 2_901 + i)),
    ],
    1,
  ],
])('the net time of a call, when %s', (_name, pauses, ms) => {
  expect(new Pauses(pauses).netMs(call)).toBeCloseTo(ms, 6)
})
