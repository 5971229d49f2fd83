import { noAnswerText } from '../../client/place-order-client.ts'
import { chapterOf } from '../case.ts'
import { type CaseOutcome, countVerdicts } from '../run-cases.ts'
import type { Acceptance } from './acceptance.ts'

/** A run as `--json` prints it. */
export function acceptanceAsJson({ url, clientId, startedAt, seconds, outcomes }: Acceptance) {
  return {
    url,
    clientId,
    startedAt: startedAt.toISOString(),
    seconds,
    passed: countVerdicts(outcomes, 'PASSED'),
    failed: countVerdicts(outcomes, 'FAILED'),
    skipped: countVerdicts(outcomes, 'SKIPPED'),
    cases: outcomes.map(outcomeAsJson),
  }
}

function outcomeAsJson({ case: one, verdict, got, tookMs, recorded }: CaseOutcome) {
  const { name, rule, source, breaks, expected } = one
  return {
    name,
    chapter: chapterOf(one),
    rule,
    source,
    breaks,
    expected: expected.text,
    got,
    verdict,
    tookMs: Math.round(tookMs),
    exchanges: recorded.map(({ request, reply, tookMs }) => ({
      request: {
        method: request.method,
        url: request.url.href,
        headers: request.headers,
        body: request.body.toString(),
      },
      answer:
        reply.kind === 'ANSWERED'
          ? {
              httpStatus: reply.httpStatus,
              headers: reply.headers,
              body: reply.body.toString(),
              signature: reply.signature,
            }
          : { lost: noAnswerText(reply) },
      tookMs: Math.round(tookMs),
    })),
  }
}
