import { CALLERS, type Pause, type RecordedCall } from './history.ts'

type PausesOfOne = { byEnd: Pause[]; longestMs: number }

/** An index of pauses by who and when: a long run has many. */
export class Pauses {
  readonly #pauses: Map<string, PausesOfOne>

  constructor(pauses: readonly Pause[]) {
    this.#pauses = new Map(
      [...Map.groupBy(pauses, ({ who }) => who)].map(([who, own]) => [
        who,
        {
          byEnd: own.toSorted((a, b) => a.to - b.to),
          longestMs: own.reduce((longest, { from, to }) => Math.max(longest, to - from), 0),
        },
      ]),
    )
  }

  /** Yields the pauses of `who` that overlap the time from `from` to `to` (ms). */
  *of(who: string, from: number, to: number): Generator<Pause> {
    const { byEnd, longestMs } = this.#pauses.get(who) ?? { byEnd: [], longestMs: 0 }
    for (let at = firstEndingFrom(byEnd, from); at < byEnd.length; at += 1) {
      const pause = byEnd[at]
      if (pause === undefined || pause.to - longestMs > to) return
      if (pause.from <= to) yield pause
    }
  }

  /**
   * How long a call took (ms), less the time in which its ingress or the callers were stopped or
   * starved. Overlapping pauses count once.
   */
  netMs({
    ingress,
    sentAt,
    endedAt,
  }: Pick<RecordedCall, 'ingress' | 'sentAt' | 'endedAt'>): number {
    const turns: { at: number; share: number }[] = []
    for (const who of [ingress, CALLERS]) {
      for (const { why, from, to, ms } of this.of(who, sentAt, endedAt)) {
        const [begin, end] = [Math.max(from, sentAt), Math.min(to, endedAt)]
        if (why === 'KILLED' || why === 'ENDED' || end <= begin) continue
        const share = Math.min(1, ms / (end - begin))
        turns.push({ at: begin, share }, { at: end, share: -share })
      }
    }
    let net = endedAt - sentAt
    let paused = 0
    let since = sentAt
    for (const { at, share } of turns.sort((a, b) => a.at - b.at)) {
      net -= (at - since) * Math.min(1, paused)
      paused += share
      since = at
    }
    return net
  }
}

/** The index of the first pause that ends at `from` or later. */
function firstEndingFrom(byEnd: Pause[], from: number): number {
  let low = 0
  let high = byEnd.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((byEnd[middle]?.to ?? 0) < from) low = middle + 1
    else high = middle
  }
  return low
}
