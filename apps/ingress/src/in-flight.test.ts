import { describe, expect, test } from 'vitest'
import { InFlight } from './in-flight.ts'

const WAIT_MS = 3_000
const IN_FLIGHT_MAX = 2_000

/**
 * Orders arrive at one rate and are served at another, first come first served; those that wait too
 * long go unserved. Returns how many were served, and how long the slowest of them took (ms).
 */
function simulate({
  arriveASecond,
  servedASecond,
  forMs,
}: Record<'arriveASecond' | 'servedASecond' | 'forMs', number>) {
  let now = 0
  const inFlight = new InFlight({ max: IN_FLIGHT_MAX, waitMs: WAIT_MS, now: () => now })
  const queue: { since: number; release: (served: boolean) => void }[] = []
  const counts = { arrived: 0, refused: 0, served: 0, late: 0, slowestMs: 0 }
  let come = 0
  let serve = 0
  for (; now < forMs; now += 1) {
    for (come += arriveASecond / 1_000; come >= 1; come -= 1) {
      counts.arrived += 1
      if (inFlight.reasonToRefuse('A') !== undefined) counts.refused += 1
      else queue.push({ since: now, release: inFlight.add('A') })
    }
    for (
      serve = Math.min(serve + servedASecond / 1_000, 1);
      serve >= 1 && queue.length > 0;
      serve -= 1
    ) {
      const { since, release } = queue.shift() ?? { since: 0, release: () => {} }
      const ms = now - since
      release(ms <= WAIT_MS)
      if (ms > WAIT_MS) counts.late += 1
      else counts.served += 1
      if (ms <= WAIT_MS) counts.slowestMs = Math.max(counts.slowestMs, ms)
    }
  }
  return counts
}

test.each([
  [10, 1_000],
  [900, 1_000],
  [50, 60],
])(
  'at %i orders a second of %i that can be served, none is refused',
  (arriveASecond, servedASecond) => {
    expect(simulate({ arriveASecond, servedASecond, forMs: 20_000 })).toMatchObject({
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
  'at %i orders a second of %i, those admitted are served in time',
  (arriveASecond, servedASecond) => {
    const counts = simulate({ arriveASecond, servedASecond, forMs: 30_000 })
    expect(counts.late).toBe(0)
    expect(counts.served).toBeGreaterThan(0.9 * servedASecond * 30)
    expect(counts.slowestMs).toBeLessThan(0.75 * WAIT_MS)
  },
)

test('a burst after a pause is admitted', () => {
  const inFlight = new InFlight({ max: IN_FLIGHT_MAX, waitMs: WAIT_MS, now: () => 5_000 })
  for (let arrived = 0; arrived < 2_000; arrived += 1)
    if (inFlight.reasonToRefuse('A') === undefined) inFlight.add('A')
  expect(inFlight.size).toBe(Math.ceil((IN_FLIGHT_MAX * 8) / 9))
})

test('few are admitted while none is served, and many once some are', () => {
  let now = 0
  const inFlight = new InFlight({ max: IN_FLIGHT_MAX, waitMs: WAIT_MS, now: () => now })
  const held: ((served: boolean) => void)[] = []
  const come = () => inFlight.reasonToRefuse('A') === undefined && held.push(inFlight.add('A'))
  for (; now < 2_000; now += 1) come()
  expect(held.length).toBeLessThan(500)
  const before = held.length
  for (const release of held.splice(0)) release(false)
  for (; now < 3_000; now += 1) come()
  expect(before).toBeGreaterThan(0)
  for (; now < 6_000; now += 1) {
    held.shift()?.(true)
    come()
  }
  expect(inFlight.reasonToRefuse('A')).toBeUndefined()
})

test('an order that was released is no longer in flight', () => {
  const inFlight = new InFlight({ max: IN_FLIGHT_MAX, waitMs: WAIT_MS })
  const release = inFlight.add('A')
  expect(inFlight.size).toBe(1)
  release(false)
  expect(inFlight.size).toBe(0)
})

describe('clients share the room there is', () => {
  /** Lets clients add as much as they may; returns how many each has. */
  function filledBy(clients: string[], inFlight: InFlight): Record<string, number> {
    const has = Object.fromEntries(clients.map((client) => [client, 0]))
    for (let arrived = 0; arrived < 2 * IN_FLIGHT_MAX; arrived += 1) {
      for (const client of clients) {
        if (inFlight.reasonToRefuse(client) !== undefined) continue
        inFlight.add(client)
        has[client] = (has[client] ?? 0) + 1
      }
    }
    return has
  }
  const inFlightOf = (signable = (_ms: number) => Number.POSITIVE_INFINITY) =>
    new InFlight({ max: IN_FLIGHT_MAX, waitMs: WAIT_MS, signable, now: () => 0 })

  test.each([
    [['A'], 1_778],
    [['A', 'B'], 942],
    [['A', 'B', 'C', 'D'], 485],
  ])('%j that want all of it get the same each: %i', (clients, each) => {
    for (const has of Object.values(filledBy(clients, inFlightOf())))
      expect(Math.abs(has - each)).toBeLessThanOrEqual(1)
  })

  test.each([
    ['the room in flight', inFlightOf()],
    ['the room for signatures', inFlightOf((ms) => ms / 10)],
  ])('a client that has filled %s leaves room for the next one', (_what, inFlight) => {
    filledBy(['A'], inFlight)
    expect(inFlight.reasonToRefuse('A')).toBeDefined()
    const { B = 0 } = filledBy(['B'], inFlight)
    expect(B).toBeGreaterThan(inFlight.size / 20)
  })

  test('a client with nothing in flight is served while another’s orders queue', () => {
    let now = 0
    const inFlight = new InFlight({ max: IN_FLIGHT_MAX, waitMs: WAIT_MS, now: () => now })
    const queue: ((served: boolean) => void)[] = []
    let refused = 0
    for (; now < 10_000; now += 1) {
      for (let arrived = 0; arrived < 3; arrived += 1)
        if (inFlight.reasonToRefuse('A') === undefined) queue.push(inFlight.add('A'))
      if (now % 50 === 0 && inFlight.reasonToRefuse('B') !== undefined) refused += 1
      else if (now % 50 === 0) queue.push(inFlight.add('B'))
      if (now % 2 === 0) queue.shift()?.(true)
    }
    expect(refused).toBe(0)
  })
})

test.each([1, 2, 5, 20])(
  'with %i ms a signature, a burst is signed within half the wait',
  (paceMs) => {
    const inFlight = new InFlight({
      max: IN_FLIGHT_MAX,
      waitMs: WAIT_MS,
      signable: (ms) => ms / paceMs,
      now: () => 0,
    })
    for (let arrived = 0; arrived < 10_000; arrived += 1)
      if (inFlight.reasonToRefuse('A') === undefined) inFlight.add('A')
    expect(inFlight.size * paceMs).toBeLessThanOrEqual(WAIT_MS / 2)
    expect(inFlight.size).toBeGreaterThanOrEqual(Math.min(1_700, (0.8 * WAIT_MS) / 2 / paceMs))
  },
)
