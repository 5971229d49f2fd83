import { setTimeout as wait } from 'node:timers/promises'
import { History } from '@placeorder/testkit'
import { type FaultKind, type FaultName, faults } from './faults.ts'
import type { House } from './house.ts'
import type { Random } from './random.ts'

/** Faults come in so many rows at a time, so that they meet. */
const ROWS = 3

/** Between two faults of a row there is fair weather for so long (ms), at least and at most. */
const FAIR_MS = [200, 5_000] as const

/** Breaks the house in one way after the other until `signal` aborts; then all of it is whole. Each row brings every kind in turn. */
export async function storm(
  house: House,
  { history, random, signal }: { history: History; random: Random; signal: AbortSignal },
): Promise<void> {
  const rows = Array.from({ length: ROWS }, (_, row) => random.fork(row))
  await Promise.all(rows.map((own) => stormRow(house, history, own, signal)))
}

async function stormRow(house: House, history: History, random: Random, signal: AbortSignal): Promise<void> {
  let names: FaultName[] = []
  for (let n = 0; !signal.aborted; n += 1) {
    // The n-th fault of a row is the same in each run of a seed, whatever came of those before.
    const own = random.fork(n)
    await pause(own.whole(...FAIR_MS), signal)
    if (names.length === 0) names = own.shuffled(Object.keys(faults) as FaultName[])
    const name = names.pop()
    if (signal.aborted || name === undefined) return
    const { holdMs, strike }: FaultKind = faults[name]
    const holds = own.whole(...holdMs)
    const at = History.now()
    const wound = await strike(house, own)
    if (wound === undefined) continue
    history.fault({ kind: name, on: wound.on, at })
    await pause(holds, signal)
    await wound.heal()
  }
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  wait(ms, undefined, { signal }).catch(() => {})
