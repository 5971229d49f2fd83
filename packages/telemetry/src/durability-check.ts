import type { HealthCheck } from './admin.ts'
import type { Logger } from './log.ts'
import type { Metrics } from './metrics.ts'

/** What can say how Redis is; rejects when Redis does not answer. */
export type Durable = {
  report: () => Promise<{
    faults: string[]
    unseen: string[]
    assumed: string[]
    unable: string[]
    warnings: string[]
    memoryUsed: number | undefined
  }>
}

/** Past this time (ms) Redis counts as keeping nothing: less than a check has, so that a scrape shows it. */
const ANSWER_MS_MAX = 800

/**
 * Says whether Redis keeps what it answers, and can take new orders. `relaxed` only warns of the first of these, which for
 * `strict` is a reason not to be ready.
 */
export function durabilityCheck(
  durability: Durable,
  mode: 'strict' | 'relaxed',
  metrics: Pick<Metrics, 'redisDurable' | 'redisMemoryUsed'>,
  log: Pick<Logger, 'warn'>,
): HealthCheck {
  let told = ''
  return async () => {
    const keepsNothing = () => metrics.redisDurable.set(0)
    const late = setTimeout(keepsNothing, ANSWER_MS_MAX)
    const { memoryUsed, ...known } = await durability
      .report()
      .finally(() => clearTimeout(late))
      .catch((error: unknown) => {
        keepsNothing()
        const why = error instanceof Error ? error.message : String(error)
        throw new Error(`Redis cannot be asked: ${why}`, { cause: error })
      })
    metrics.redisDurable.set(known.faults.length + known.unable.length === 0 ? 1 : 0)
    metrics.redisMemoryUsed.set(memoryUsed ?? 0)
    const all = JSON.stringify(known)
    if (all !== told && Object.values(known).some((texts) => texts.length > 0))
      log.warn(known, 'what is known of Redis and of its durability')
    told = all
    const against = mode === 'strict' ? [...known.faults, ...known.unseen] : []
    return [...known.unable, ...against].join('; ') || undefined
  }
}
