import type { HealthCheck } from './admin.ts'
import type { Logger } from './log.ts'
import type { Metrics } from './metrics.ts'

/** What can say whether Redis keeps what it answered; rejects when Redis does not answer. */
export type Durable = { report: () => Promise<{ faults: string[]; assumed: string[] }> }

/** Past this time (ms) Redis counts as keeping nothing: less than a check has, so that a scrape shows it. */
const ANSWER_MS_MAX = 800

/** Says whether Redis keeps what it answers. `relaxed` only warns of what `strict` makes a reason not to be ready. */
export function durabilityCheck(
  durability: Durable,
  mode: 'strict' | 'relaxed',
  metrics: Pick<Metrics, 'redisDurable'>,
  log: Pick<Logger, 'warn'>,
): HealthCheck {
  let told = ''
  return async () => {
    const keepsNothing = () => metrics.redisDurable.set(0)
    const late = setTimeout(keepsNothing, ANSWER_MS_MAX)
    const { faults, assumed } = await durability
      .report()
      .finally(() => clearTimeout(late))
      .catch((error: unknown) => {
        keepsNothing()
        const why = error instanceof Error ? error.message : String(error)
        throw new Error(`Redis cannot be asked: ${why}`, { cause: error })
      })
    metrics.redisDurable.set(faults.length === 0 ? 1 : 0)
    const all = JSON.stringify({ faults, assumed })
    if (all !== told && faults.length + assumed.length > 0)
      log.warn({ faults, assumed }, 'what is known of Redis’s durability')
    told = all
    return mode === 'strict' && faults.length > 0 ? faults.join('; ') : undefined
  }
}
