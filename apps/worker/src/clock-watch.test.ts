import { expect, test } from 'vitest'
import { type ClockFact, ClockWatch } from './clock-watch.ts'

const REDIS: ClockFact =
  'the clock of Redis stepped: look at the time synchronisation of its machine'
const OWN: ClockFact = 'the clock of this machine stepped: look at its time synchronisation'
const DIFFER: ClockFact =
  'the clocks of this machine and of Redis differ: look at the time synchronisation of both'

const DAY_MS = 86_400_000

/** By how much the clocks were set before a reading (ms), and how long Redis took to answer it. */
type Step = { redis?: number; own?: number; takesMs?: number }

/** What is reported for readings that are 5 s apart. */
async function reportsOf(readings: Step[]): Promise<[ClockFact, number][]> {
  const reports: [ClockFact, number][] = []
  let [ticks, redisAhead, ownAhead] = [1_000, 0, 0]
  const wall = () => DAY_MS + ticks + ownAhead
  const watch = new ClockWatch((fact, byMs) => void reports.push([fact, byMs]), {
    wall,
    ticks: () => ticks,
  })
  for (const { redis = 0, own = 0, takesMs = 1 } of [{}, ...readings]) {
    ticks += 5_000
    redisAhead += redis
    ownAhead += own
    await watch.check(async () => {
      const now = DAY_MS + ticks + redisAhead
      ticks += takesMs
      return { now, steady: now }
    })
  }
  return reports
}

test.each<[string, Step[], [ClockFact, number][]]>([
  ['nothing, while all clocks run', [{}, {}, {}], []],
  ['nothing, when Redis answers late', [{ takesMs: 9_000 }, {}, { takesMs: 60_000 }, {}], []],
  ['nothing, for a step below a second', [{ redis: 998 }, { redis: -998 }], []],
  [
    'that Redis’s was set ahead, and back',
    [{ redis: 3 * DAY_MS }, { redis: -3 * DAY_MS }],
    [
      [REDIS, 3 * DAY_MS - 1],
      [DIFFER, 1 - 3 * DAY_MS],
      [REDIS, 1 - 3 * DAY_MS],
    ],
  ],
  [
    'that the worker’s own was set ahead, once',
    [{ own: DAY_MS }, {}, {}],
    [
      [OWN, DAY_MS],
      [DIFFER, DAY_MS],
    ],
  ],
  [
    'that the worker’s own was set back',
    [{ own: -DAY_MS }],
    [
      [OWN, -DAY_MS],
      [DIFFER, 1 - DAY_MS],
    ],
  ],
])('a worker reports of clocks: %s', async (_, readings, reports) => {
  expect(await reportsOf(readings)).toEqual(reports)
})
