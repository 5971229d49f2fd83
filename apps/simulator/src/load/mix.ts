import { UsageError } from '../cli/command.ts'

/**
 * What a request of the load is: a new order; the same order again; it again with another amount, which must be refused;
 * or an inquiry after it.
 */
export const kinds = ['new', 'repeat', 'inconsistent', 'inquiry'] as const
export type Kind = (typeof kinds)[number]

/** Shares of the kinds, in any unit. */
export type Mix = Record<Kind, number>

/** A request to make: of which order (counted from 0), and what. */
export type Planned = { kind: Kind; order: number }

/**
 * Reads `new=90,repeat=6,inconsistent=2,inquiry=2`; a kind that is not named has no share.
 *
 * @throws UsageError
 */
export function parseMix(text: string): Mix {
  const mix: Mix = { new: 0, repeat: 0, inconsistent: 0, inquiry: 0 }
  for (const pair of text.split(',')) {
    const [name = '', share = ''] = pair.split('=').map((word) => word.trim())
    const kind = kinds.find((candidate) => candidate === name)
    if (kind === undefined)
      throw new UsageError(`--mix ${text}: '${name}' is none of ${kinds.join(', ')}`)
    if (!/^\d+(\.\d+)?$/.test(share))
      throw new UsageError(`--mix ${text}: the share of ${name} is no number`)
    mix[kind] = Number(share)
  }
  if (mix.new === 0)
    throw new UsageError(
      `--mix ${text}: without new orders there is nothing to repeat or to ask for`,
    )
  return mix
}

/**
 * Plans `amount` requests. Kinds are spread evenly, so that every stretch of the run has the same mix. What is about
 * an order comes at least `gap` new orders after it; until so many are there, only new ones are planned.
 */
export function plan(amount: number, mix: Mix, gap: number): Planned[] {
  const total = kinds.reduce((sum, kind) => sum + mix[kind], 0)
  const due: Mix = { new: 0, repeat: 0, inconsistent: 0, inquiry: 0 }
  const planned: Planned[] = []
  let orders = 0
  let about = 0
  for (let at = 0; at < amount; at += 1) {
    for (const kind of kinds) due[kind] += mix[kind] / total
    const wanted = kinds.reduce((most, kind) => (due[kind] > due[most] ? kind : most), 'new')
    const known = orders - gap
    const kind = known > 0 ? wanted : 'new'
    due[kind] -= 1
    if (kind === 'new') planned.push({ kind, order: orders++ })
    else {
      about = (about + 1) % known // One after the other, and from the first again: repeats come soon and late.
      planned.push({ kind, order: about })
    }
  }
  return planned
}
