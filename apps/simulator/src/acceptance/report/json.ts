import { groupOf } from '../case.ts'
import { count, type Outcome } from '../run-cases.ts'
import type { Acceptance } from './acceptance.ts'
import { lossText } from './exchange-text.ts'

/** A run as `--json` prints it: all that is known. */
export function acceptanceAsJson({ url, clientId, startedAt, seconds, outcomes }: Acceptance) {
  return {
    url,
    clientId,
    startedAt: startedAt.toISOString(),
    seconds,
    passed: count(outcomes, 'PASSED'),
    failed: count(outcomes, 'FAILED'),
    skipped: count(outcomes, 'SKIPPED'),
    cases: outcomes.map(outcomeAsJson),
  }
}

function outcomeAsJson({ case: one, verdict, got, tookMs, recorded }: Outcome) {
  const { name, rule, source, breaks, expected } = one
  return {
    name,
    chapter: groupOf(one),
    rule,
    source,
    breaks,
    expected: expected.words,
    got,
    verdict,
    tookMs: Math.round(tookMs),
    exchanges: recorded.map(({ sent, reply, tookMs }) => ({
      request: {
        method: sent.method,
        url: sent.url.href,
        headers: sent.headers,
        body: sent.body.toString(),
      },
      answer:
        reply.kind === 'ANSWERED'
          ? {
              httpStatus: reply.httpStatus,
              headers: reply.headers,
              body: reply.body.toString(),
              signature: reply.signature,
            }
          : { lost: lossText(reply) },
      tookMs: Math.round(tookMs),
    })),
  }
}
