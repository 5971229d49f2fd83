import { type Archive, openArchive } from '@placeorder/archive'
import { FilterFault, type Filters, type Recall, type Recalled } from '@placeorder/store'
import type { HealthCheck, Metrics } from '@placeorder/telemetry'
import { ANSWER_MS_MAX, ArchiveLookUps, STATEMENTS_MAX } from './archive-look-ups.ts'
import { before } from './deadlines.ts'

/** Less than a check may take (ms), so that what it says is shown. */
const CHECK_MS_MAX = 800

/** The archive as an ingress uses it: for orders that Redis has forgotten. */
export type RecallSource = {
  recall: Recall
  /** Rejects with why the archive cannot be used. */
  check: () => Promise<void>
  close: () => Promise<void>
}

/**
 * Opens the archive at `url` and, if there is one, its replica at `readUrl`, which is asked first.
 * Nothing is connected until something is asked.
 */
export function openRecall({
  url,
  readUrl,
  metrics,
  onFault,
}: {
  url: string
  readUrl: string | undefined
  metrics: Pick<Metrics, 'archiveLookUps' | 'archiveLookUpSeconds'>
  onFault: (error: unknown, what: string) => void
}): RecallSource {
  const archives = [...(readUrl === undefined ? [] : [readUrl]), url].map((of) =>
    openArchive({
      url: of,
      connectionsMax: STATEMENTS_MAX,
      statementMsMax: ANSWER_MS_MAX,
      onFault,
    }),
  )
  const lookUps = archives.map((archive) => new ArchiveLookUps(archive, onFault))
  return {
    recall: counted(inTurn(lookUps.map((one) => (asked) => one.recall(asked))), metrics),
    check: async () => {
      for (const archive of archives) await archive.check()
    },
    close: async () => void (await Promise.all(archives.map((archive) => archive.close()))),
  }
}

const isKnown = ({ kind }: Recalled): boolean => kind === 'FOUND' || kind === 'ABSENT'

/**
 * Asks one after the other for what is not known yet. A replica lags behind what Redis forgot
 * last: that it has not an order does not always count.
 */
export const inTurn =
  (all: Recall[]): Recall =>
  async (forgotten) => {
    const [first, ...others] = all
    const known = (await first?.(forgotten)) ?? []
    const unknown = forgotten.orderIds.filter((_, i) => !known[i] || !isKnown(known[i]))
    if (others.length === 0 || unknown.length === 0) return known
    const rest = await inTurn(others)({ ...forgotten, orderIds: unknown })
    return known.map((one) => (isKnown(one) ? one : (rest.shift() ?? one)))
  }

/** Counts what became of each order, and how long it took. */
const counted =
  (
    recall: Recall,
    {
      archiveLookUps,
      archiveLookUpSeconds,
    }: Pick<Metrics, 'archiveLookUps' | 'archiveLookUpSeconds'>,
  ): Recall =>
  async (forgotten) => {
    const begun = performance.now()
    const recalled = await recall(forgotten)
    archiveLookUpSeconds.observe((performance.now() - begun) / 1000)
    for (const { kind } of recalled) archiveLookUps.inc({ result: kind.toLowerCase() })
    return recalled
  }

/** Why orders must not be claimed: a filter is damaged. */
export const filtersCheck =
  (filters: Pick<Filters, 'read'>, shards: number): HealthCheck =>
  async () => {
    const lists = await Promise.allSettled(
      Array.from({ length: shards }, (_, shard) => filters.read(shard)),
    )
    // Of a Redis that does not answer another check says so.
    const faults = lists.flatMap((list) =>
      list.status === 'rejected' && list.reason instanceof FilterFault ? list.reason.message : [],
    )
    return faults.join('; ') || undefined
  }

/**
 * For tests that forget orders within seconds: how long (ms) after it was looked up an order may be
 * claimed; half of the time after which it is forgotten, as in production.
 */
export const lookedUpMsMaxOf = (keepSeconds: string | undefined): { lookedUpMsMax?: number } =>
  keepSeconds === undefined ? {} : { lookedUpMsMax: Math.min(Number(keepSeconds) * 500, 60_000) }

/** What a ready ingress cannot do while the archive is away. */
export const awayNote =
  ({ check }: Pick<Archive, 'check'>): HealthCheck =>
  () =>
    before(check(), AbortSignal.timeout(CHECK_MS_MAX)).then(
      () => undefined,
      (error: unknown) =>
        'repeats and inquiries of archived orders are answered UNKNOWN_EXCEPTION: ' +
        (error instanceof Error ? error.message : String(error)),
    )
