import { UsageError } from '../cli/command.ts'

/**
 * The kinds of requests: a new order; the same order again; the same with another amount, which
 * must be refused; an inquiry after it.
 */
export const loadKinds = ['new', 'repeat', 'inconsistent', 'inquiry'] as const
export type LoadKind = (typeof loadKinds)[number]

/** Shares of the kinds, in any unit. */
export type Mix = Record<LoadKind, number>

/** A planned request; orders are counted from 0. */
export type PlannedRequest = { kind: LoadKind; order: number }

/**
 * Parses `new=90,repeat=6,inconsistent=2,inquiry=2`; a kind that is not named has no share.
 *
 * @throws UsageError
 */
export function parseMix(text: string): Mix {
  const mix: Mix = { new: 0, repeat: 0, inconsistent: 0, inquiry: 0 }
  for (const pair of text.split(',')) {
    const [name = '', share = ''] = pair.split('=').map((word) => word.trim())
    const kind = loadKinds.find((candidate) => candidate === name)
    if (kind === undefined)
      throw new UsageError(`--mix ${text}: '${name}' is not one of ${loadKinds.join(', ')}`)
    if (!/^\d+(\.\d+)?$/.test(share))
      throw new UsageError(`--mix ${text}: the share of ${name} is not a number`)
    mix[kind] = Number(share)
  }
  if (mix.new === 0)
    throw new UsageError(
      `--mix ${text}: without new orders there is nothing to repeat or to inquire after`,
    )
  return mix
}

/**
 * Plans `amount` requests. Kinds are spread evenly, so that every part of the run has the same mix.
 * A repeat or inquiry comes at least `gap` new orders after its order; before that only new orders
 * are planned.
 */
export function planRequests(amount: number, mix: Mix, gap: number): PlannedRequest[] {
  const total = loadKinds.reduce((sum, kind) => sum + mix[kind], 0)
  const due: Mix = { new: 0, repeat: 0, inconsistent: 0, inquiry: 0 }
  const planned: PlannedRequest[] = []
  let orders = 0
  let about = 0
  for (let at = 0; at < amount; at += 1) {
    for (const kind of loadKinds) due[kind] += mix[kind] / total
    const wanted = loadKinds.reduce((most, kind) => (due[kind] > due[most] ? kind : most), 'new')
    const known = orders - gap
    const kind = known > 0 ? wanted : 'new'
    due[kind] -= 1
    if (kind === 'new') planned.push({ kind, order: orders++ })
    else {
      about = (about + 1) % known // Round robin: some repeats come soon, others late.
      planned.push({ kind, order: about })
    }
  }
  return planned
}
