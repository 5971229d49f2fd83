import assert from 'node:assert/strict'
import { setTimeout as wait } from 'node:timers/promises'
import type { FaultKind, Faults } from './faults.ts'
import { History } from './history/history.ts'
import type { Random } from './random.ts'
import type { ChaosTestBed } from './test-bed.ts'

/** So many faults are active at a time, so that they overlap. */
const AT_A_TIME = 3

/**
 * A kind that could not be injected so often is left out until all have been drawn. Some attempts
 * disturb what they would break, and would go on for ever if nothing else were left to draw.
 */
const ATTEMPTS_MAX = 10

/** The pause between two faults of one row (ms), at least and at most. */
const BETWEEN_MS = [200, 5_000] as const

type Schedule = { testBed: ChaosTestBed; history: History; random: Random; signal: AbortSignal }

/**
 * Injects one fault after the other until `signal` aborts, and heals all of them. Every kind that
 * can be injected comes once before any comes again. A seed gives the same order of kinds, but for
 * those; what is hit also depends on what is healthy at the time.
 */
export async function injectFaults(
  testBed: ChaosTestBed,
  options: Omit<Schedule, 'testBed'>,
): Promise<void> {
  const deck = new Deck(Object.keys(testBed.faults), options.random.fork(0))
  const rows = Array.from({ length: AT_A_TIME }, (_, row) => options.random.fork(row + 1))
  await Promise.all(rows.map((random) => injectInTurns({ ...options, testBed, random }, deck)))
}

async function injectInTurns(
  { testBed, history, random, signal }: Schedule,
  deck: Deck,
): Promise<void> {
  for (;;) {
    await pause(random.whole(...BETWEEN_MS), signal)
    if (signal.aborted) return
    const name = deck.draw()
    const { holdMs, inject } = kindOf(name, testBed.faults)
    const activeMs = random.whole(...holdMs)
    const at = History.now()
    const activeFault = await inject(testBed, random)
    if (activeFault === undefined) {
      deck.putBack(name)
      continue
    }
    history.fault({ kind: name, on: activeFault.on, at })
    await pause(activeMs, signal)
    await activeFault.heal()
  }
}

function kindOf(name: string, faults: Faults): FaultKind {
  const kind = faults[name]
  assert(kind !== undefined, `${name} is not a kind of fault`)
  return kind
}

/** All kinds of faults, shuffled, and reshuffled once all have been drawn. */
class Deck {
  readonly #kinds: string[]
  readonly #random: Random
  #names: string[] = []
  readonly #attempts = new Map<string, number>()

  constructor(kinds: string[], random: Random) {
    this.#kinds = kinds
    this.#random = random
  }

  draw(): string {
    if (this.#names.length === 0) {
      this.#names = this.#random.shuffled(this.#kinds)
      this.#attempts.clear()
    }
    const name = this.#names.pop()
    assert(name !== undefined, 'there is at least one kind of fault')
    return name
  }

  /** Puts back a kind that could not be injected now; it is drawn last, `ATTEMPTS_MAX` times. */
  putBack(name: string): void {
    const attempts = (this.#attempts.get(name) ?? 0) + 1
    this.#attempts.set(name, attempts)
    if (attempts < ATTEMPTS_MAX) this.#names.unshift(name)
  }
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  wait(ms, undefined, { signal }).catch(() => {})
