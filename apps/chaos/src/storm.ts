import assert from 'node:assert/strict'
import { setTimeout as wait } from 'node:timers/promises'
import { History } from '@placeorder/testkit'
import { type FaultKind, type FaultName, faults } from './faults.ts'
import type { House } from './house.ts'
import type { Random } from './random.ts'

/** So many faults are at work at a time, so that they meet. */
const AT_A_TIME = 3

/** Between two faults of a row there is fair weather for so long (ms), at least and at most. */
const FAIR_MS = [200, 5_000] as const

type Storm = { house: House; history: History; random: Random; signal: AbortSignal }

/**
 * Breaks the house in one way after the other until `signal` aborts; then all of it is whole. Every kind comes once before
 * any comes again. A seed's order of kinds is always the same; who is hit also depends on who is whole.
 */
export async function storm(house: House, options: Omit<Storm, 'house'>): Promise<void> {
  const deck = new Deck(kindsFor(house), options.random.fork(0))
  const rows = Array.from({ length: AT_A_TIME }, (_, row) => options.random.fork(row + 1))
  await Promise.all(rows.map((random) => stormRow({ ...options, house, random }, deck)))
}

async function stormRow({ house, history, random, signal }: Storm, deck: Deck): Promise<void> {
  for (;;) {
    await pause(random.whole(...FAIR_MS), signal)
    if (signal.aborted) return
    const name = deck.draw()
    const { holdMs, strike }: FaultKind = faults[name]
    const holds = random.whole(...holdMs)
    const at = History.now()
    const wound = await strike(house, random)
    if (wound === undefined) {
      deck.putBack(name)
      continue
    }
    history.fault({ kind: name, on: wound.on, at })
    await pause(holds, signal)
    await wound.heal()
  }
}

const kindsFor = ({ disk }: House): FaultName[] =>
  (Object.keys(faults) as FaultName[]).filter(
    (name) => disk !== undefined || name !== 'fill the disk',
  )

/** All kinds of faults, shuffled, and again when all have come. */
class Deck {
  readonly #kinds: FaultName[]
  readonly #random: Random
  #names: FaultName[] = []

  constructor(kinds: FaultName[], random: Random) {
    this.#kinds = kinds
    this.#random = random
  }

  draw(): FaultName {
    if (this.#names.length === 0) this.#names = this.#random.shuffled(this.#kinds)
    const name = this.#names.pop()
    assert(name !== undefined, 'a deck has cards')
    return name
  }

  /** For one that could not come now; it comes last. */
  putBack(name: FaultName): void {
    this.#names.unshift(name)
  }
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  wait(ms, undefined, { signal }).catch(() => {})
