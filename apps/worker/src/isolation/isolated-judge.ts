import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Facts } from '@placeorder/decision'
import type { Outcome } from '@placeorder/store'
import type { Rulebook } from '../judge-order.ts'
import { JudgeReply, type JudgeRequest } from './messages.ts'

const PROGRAM = join(import.meta.dirname, 'judge-process.ts')

/**
 * How long a process may take to start (ms): no order is to blame for a machine that has no
 * processor for it, and each start that is given up begins anew.
 */
const START_MS_MAX = 60_000

/**
 * How much longer than its checks an order may take (ms): past this, something in it never ends.
 */
const OVERTIME_MS = 1_000

/** An idle process is ended after this time (ms): most workers never need one. */
const IDLE_MS = 10_000

/** The process that judged an order did not answer: it died, or had to be killed. */
export class JudgeDied extends Error {
  override readonly name = 'JudgeDied'
}

export type IsolatedJudgeOptions = { policyFile: string; checksMs: number }

/**
 * Judges orders in a separate process, one at a time: an order that kills or blocks it affects no
 * worker.
 */
export class IsolatedJudge {
  readonly #options: IsolatedJudgeOptions
  #last: Promise<unknown> = Promise.resolve()
  #child: ChildProcess | undefined
  #rulebook: Rulebook | undefined
  #idle: NodeJS.Timeout | undefined

  constructor(options: IsolatedJudgeOptions) {
    this.#options = options
  }

  /**
   * Judges an order by the policy file, which is read again when `rulebook` has changed since the
   * last order.
   *
   * @throws JudgeDied if the process died of it; an Error if it could not decide
   */
  judge(facts: Facts, rulebook: Rulebook, signal: AbortSignal): Promise<Outcome> {
    const judging = this.#last.then(() => this.#judge(facts, rulebook, signal))
    this.#last = judging.catch(() => {})
    return judging
  }

  async #judge(facts: Facts, rulebook: Rulebook, signal: AbortSignal): Promise<Outcome> {
    clearTimeout(this.#idle)
    if (this.#rulebook !== rulebook) this.close()
    this.#rulebook = rulebook
    try {
      const child = this.#child ?? (await this.#start(signal))
      const { checksMs } = this.#options
      const verdict = await this.#reply(child, checksMs + OVERTIME_MS, signal, () =>
        child.send({ facts, checksMs } satisfies JudgeRequest),
      )
      if ('outcome' in verdict) return verdict.outcome
      throw new Error('reason' in verdict ? verdict.reason : 'it returned no outcome')
    } finally {
      this.#idle = setTimeout(() => this.close(), IDLE_MS).unref()
    }
  }

  async #start(signal: AbortSignal): Promise<ChildProcess> {
    const child = fork(PROGRAM, [this.#options.policyFile], {
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.#child = child
    child.once('exit', () => {
      if (this.#child === child) this.#child = undefined
    })
    child.on('error', () => {}) // The call that waits for an answer rejects.
    await this.#reply(child, START_MS_MAX, signal)
    return child
  }

  /** The next message of the process after `ask`. If none comes in time, the process is killed. */
  async #reply(
    child: ChildProcess,
    ms: number,
    signal: AbortSignal,
    ask = () => {},
  ): Promise<JudgeReply> {
    signal.throwIfAborted()
    const done = new AbortController()
    const exited = once(child, 'exit', { signal: done.signal }).then(([code, by]) => {
      throw new JudgeDied(`the process that judged it ended unexpectedly: ${by ?? `exit ${code}`}`)
    })
    const late = once(AbortSignal.any([AbortSignal.timeout(ms), signal]), 'abort', {
      signal: done.signal,
    }).then(() => {
      this.close()
      throw new JudgeDied(`the process to judge it did not answer in ${ms} ms and was killed`)
    })
    const replied = once(child, 'message', { signal: done.signal })
    try {
      ask()
      const [message] = await Promise.race([replied, exited, late])
      return JudgeReply.parse(message)
    } finally {
      for (const other of [replied, exited, late]) other.catch(() => {})
      done.abort()
    }
  }

  close(): void {
    clearTimeout(this.#idle)
    this.#child?.kill('SIGKILL')
    this.#child = undefined
  }
}
