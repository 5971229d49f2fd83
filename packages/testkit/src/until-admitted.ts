import { setTimeout as wait } from 'node:timers/promises'
import type { SignedAnswer } from './signed-call.ts'

/** A machine that is busy for longer than this (ms) fails the test. */
const REFUSED_MS_MAX = 20_000
const REPEAT_MS = 50

/**
 * Calls, and again while the call is refused for overload, as callers do: on a busy machine an
 * ingress refuses a request now and then, and such a request leaves nothing.
 */
export async function untilAdmitted(call: () => Promise<SignedAnswer>): Promise<SignedAnswer> {
  const until = performance.now() + REFUSED_MS_MAX
  for (;;) {
    const answer = await call()
    const isRefused = answer.code === 'REQUEST_TRAFFIC_EXCEED_LIMIT'
    if (!isRefused || performance.now() > until) return answer
    await wait(REPEAT_MS)
  }
}
