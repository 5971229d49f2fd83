import type { HealthCheck } from './admin.ts'
import type { Logger } from './log.ts'
import type { Metrics } from './metrics.ts'

/** Reports on Redis's durability; rejects when Redis does not answer. */
export type DurabilitySource = {
  report: () => Promise<{
    faults: string[]
    unseen: string[]
    assumed: string[]
    unable: string[]
    warnings: string[]
    memoryUsed: number | undefined
  }>
}

/**
 * After this time (ms) without an answer Redis counts as not durable: less than a check has, so
 * that a scrape shows it.
 */
const ANSWER_MS_MAX = 800

/**
 * Checks whether Redis keeps what it confirms and can take new orders. If it does not keep it, the
 * process is not ready with `strict`; `relaxed` only logs a warning.
 */
export function durabilityCheck(
  durability: DurabilitySource,
  mode: 'strict' | 'relaxed',
  metrics: Pick<Metrics, 'redisDurable' | 'redisMemoryUsed'>,
  log: Pick<Logger, 'warn'>,
): HealthCheck {
  let logged = ''
  return async () => {
    const setNotDurable = () => metrics.redisDurable.set(0)
    const late = setTimeout(setNotDurable, ANSWER_MS_MAX)
    const { memoryUsed, ...known } = await durability
      .report()
      .finally(() => clearTimeout(late))
      .catch((error: unknown) => {
        setNotDurable()
        const why = error instanceof Error ? error.message : String(error)
        throw new Error(`Redis cannot be asked: ${why}`, { cause: error })
      })
    metrics.redisDurable.set(known.faults.length + known.unable.length === 0 ? 1 : 0)
    metrics.redisMemoryUsed.set(memoryUsed ?? 0)
    const all = JSON.stringify(known)
    if (all !== logged && Object.values(known).some((texts) => texts.length > 0))
      log.warn(known, 'durability of Redis')
    logged = all
    const against = mode === 'strict' ? [...known.faults, ...known.unseen] : []
    return [...known.unable, ...against].join('; ') || undefined
  }
}
