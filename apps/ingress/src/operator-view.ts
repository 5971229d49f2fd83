import { isResultCode, statusOf } from '@placeorder/protocol'
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
  const beforeScrape = async () => {
    metrics.signing.set(signer.inFlight)
    metrics.ordersInHand.set(admission.inHand)
    metrics.openOrders.set(openOrders())
    await redis()
  }
  return buildAdmin({ host, port, metrics, checks: { redis }, beforeScrape })
}
