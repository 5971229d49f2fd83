import { isResultCode, statusOf } from '@placeorder/protocol'
import {
  type Admin,
  type BacklogSource,
  buildAdmin,
  type HealthCheck,
  type Logger,
  LogThrottle,
  type Metrics,
  readBacklog,
} from '@placeorder/telemetry'
import type { Admission } from './admission.ts'
import { KnownSources } from './connection/known-sources.ts'
import type { SentAnswer } from './reply.ts'
import type { SigningQueue } from './signing/signing-queue.ts'

/** Codes that say that a caller's signature or key is wrong; an operator is woken when a client's become many. */
const signatureCodes: readonly string[] = ['INVALID_SIGNATURE', 'KEY_NOT_FOUND']

/** Refusals that come without end share a line in so many ms: one for each would be a load. */
const REPEATED_LOGGED_MS = 1_000

/**
 * Counts an answer, and logs it, in one line, with its order's paymentId. Inquiries are many and
 * change nothing. The refusals of a client in an overload share a line, and so do those of
 * unauthenticated callers with the same code; it says how many `more` there were since the last.
 */
export function observeAnswers(
  metrics: Metrics,
  log: Pick<Logger, 'info' | 'debug'>,
): (answered: SentAnswer) => void {
  const repeated = new LogThrottle(REPEATED_LOGGED_MS)
  const bound = new Map<string, ReturnType<typeof bind>>()
  const bind = (endpoint: string, code: string) => ({
    answers: metrics.answers.labels({
      endpoint,
      code,
      status: isResultCode(code) ? statusOf[code] : 'F',
    }),
    seconds: metrics.answerSeconds.labels({ endpoint }),
  })
  const sources = new KnownSources()
  return ({ endpoint, code, clientId, verified, address, paymentId, reason, seconds }) => {
    const name = `${endpoint} ${code}`
    const answered = bound.get(name) ?? bind(endpoint, code) // Looking labels up costs more than counting.
    bound.set(name, answered)
    answered.answers.inc()
    answered.seconds.observe(seconds)
    if (clientId !== undefined && verified) {
      metrics.verified.inc({ client: clientId })
      sources.remember(clientId, address)
    } else if (clientId !== undefined && signatureCodes.includes(code))
      metrics.signatureFailures.inc({
        client: clientId,
        source: sources.sourceOf(clientId, address()),
      })
    const shared = verified ? sharedByClient(code, clientId) : `stranger ${code}`
    const more = shared === undefined ? undefined : repeated.due(shared)
    if (shared !== undefined && more === undefined) return
    const line = { paymentId, code, clientId, ms: Math.round(seconds * 1000) }
    if (reason !== undefined) log.info({ ...line, endpoint, reason, more }, 'refused a request')
    else if (endpoint === 'inquire') log.debug(line, 'told how an order stands')
    else log.info(line, 'answered')
  }
}

/** What the refusals of a client in an overload share a line by; undefined for what has a line of its own. */
const sharedByClient = (code: string, clientId: string | undefined): string | undefined =>
  code === 'REQUEST_TRAFFIC_EXCEED_LIMIT' ? `client ${clientId}` : undefined

export type AdminServerDeps = {
  host: string
  port: number
  metrics: Metrics
  redis: HealthCheck
  signatures: Pick<SigningQueue, 'size'>
  admission: Pick<Admission, 'inFlight'>
  orders: BacklogSource
  shards: number
  /** What callers may send, and are answered. */
  openApi: object
}

/** The ingress's admin server, with gauges that are read when somebody looks. */
export function buildAdminServer({
  host,
  port,
  metrics,
  redis,
  openApi,
  ...looked
}: AdminServerDeps): Admin {
  const beforeScrape = async () => {
    metrics.signing.set(looked.signatures.size)
    metrics.ordersInFlight.set(looked.admission.inFlight)
    await Promise.all([redis(), readBacklog(looked.orders, looked.shards, metrics)])
  }
  const admin = buildAdmin({ host, port, metrics, checks: { redis }, beforeScrape })
  admin.app.get('/openapi.json', async () => openApi)
  return admin
}
