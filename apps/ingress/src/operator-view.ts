import { isResultCode, statusOf } from '@placeorder/protocol'
import type { Durability } from '@placeorder/store'
import { type Admin, buildAdmin, type HealthCheck, type Logger, type Metrics } from '@placeorder/telemetry'
import type { Admission } from './admission.ts'
import type { Answered } from './server.ts'
import type { Signer } from './signer.ts'

/** Codes that say that a caller's signature or key is wrong; an operator is woken when a client's become many. */
const signatureCodes: readonly string[] = ['INVALID_SIGNATURE', 'KEY_NOT_FOUND']

/** Counts an answer, and logs it with its order's paymentId. */
export function countAnswers(metrics: Metrics, log: Logger): (answered: Answered) => void {
  return ({ door, code, clientId, paymentId, seconds }) => {
    const status = isResultCode(code) ? statusOf[code] : 'F'
    metrics.answers.inc({ door, code, status })
    metrics.answerSeconds.observe({ door }, seconds)
    // A client is named only once it is verified or known, so that nobody can make up as many labels as he likes.
    if (signatureCodes.includes(code)) metrics.signatureFailures.inc({ client: clientId ?? 'unknown' })
    if (door === 'place') log.info({ paymentId, code, clientId, ms: Math.round(seconds * 1000) }, 'answered')
  }
}

/** Says whether Redis keeps what it answers. `relaxed` only warns of what `strict` makes a reason not to be ready. */
export function durabilityCheck(
  durability: Pick<Durability, 'report'>,
  mode: 'strict' | 'relaxed',
  metrics: Pick<Metrics, 'redisDurable'>,
  log: Logger,
): HealthCheck {
  let told = ''
  return async () => {
    const { faults, assumed } = await durability.report()
    metrics.redisDurable.set(faults.length === 0 ? 1 : 0)
    const all = JSON.stringify({ faults, assumed })
    if (all !== told && faults.length + assumed.length > 0)
      log.warn({ faults, assumed }, 'what is known of Redis’s durability')
    told = all
    return mode === 'strict' && faults.length > 0 ? faults.join('; ') : undefined
  }
}

export type ViewDeps = {
  host: string
  port: number
  metrics: Metrics
  redis: HealthCheck
  signer: Pick<Signer, 'inFlight'>
  admission: Pick<Admission, 'inHand'>
  openOrders: () => number
}

/** The ingress's admin server, with gauges that are read when somebody looks. */
export function buildView({ host, port, metrics, redis, signer, admission, openOrders }: ViewDeps): Admin {
  const admin = buildAdmin({ host, port, metrics, checks: { redis } })
  admin.app.addHook('onRequest', async () => {
    metrics.signing.set(signer.inFlight)
    metrics.ordersInHand.set(admission.inHand)
    metrics.openOrders.set(openOrders())
  })
  return admin
}
