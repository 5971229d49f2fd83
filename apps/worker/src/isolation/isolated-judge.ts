import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Facts } from '@placeorder/decision'
import type { Outcome } from '@placeorder/store'
import type { Rulebook } from '../judge-order.ts'
import { JudgeReply, type JudgeRequest } from './messages.ts'

const PROGRAM = join(import.meta.dirname, 'judge-process.ts')

/** How long a process may take to start (ms), on a machine that has much else to do. */
const START_MS_MAX = 20_000

/** How much longer than its checks an order may take (ms): past it, something in it never ends. */
const OVERTIME_MS = 1_000

/** A process with nothing to do is ended after this time (ms): most workers never need one. */
const IDLE_MS = 10_000

/** The process that judged an order gave no answer: it died, or had to be ended. */
export class JudgeDied extends Error {
  override readonly name = 'JudgeDied'
}

export type IsolatedJudgeOptions = { policyFile: string; checksMs: number }

/** Judges orders in a process of its own, one at a time: an order that kills or blocks whoever judges it ends nothing but that. */
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
   * Judges an order by the policy file. With another `rulebook` than the last time the file is read again.
   *
   * @throws JudgeDied if the process died of it; an Error if it could not tell
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
      const verdict = await this.#answer(child, checksMs + OVERTIME_MS, signal, () =>
        child.send({ facts, checksMs } satisfies JudgeRequest),
      )
      if ('outcome' in verdict) return verdict.outcome
      throw new Error('reason' in verdict ? verdict.reason : 'it judged nothing')
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
    child.on('error', () => {}) // Whoever waits for its answer learns that none comes.
    await this.#answer(child, START_MS_MAX, signal)
    return child
  }

  /** What the process says next, once it was asked. If it says nothing in time, it is ended. */
  async #answer(
    child: ChildProcess,
    ms: number,
    signal: AbortSignal,
    ask = () => {},
  ): Promise<JudgeReply> {
    signal.throwIfAborted()
    const done = new AbortController()
    const exited = once(child, 'exit', { signal: done.signal }).then(([code, by]) => {
      throw new JudgeDied(`the process that judged it ended by itself: ${by ?? `exit ${code}`}`)
    })
    const late = once(AbortSignal.any([AbortSignal.timeout(ms), signal]), 'abort', {
      signal: done.signal,
    }).then(() => {
      this.close()
      throw new JudgeDied(`the process that judged it did not answer in ${ms} ms and was ended`)
    })
    const said = once(child, 'message', { signal: done.signal })
    try {
      ask()
      const [message] = await Promise.race([said, exited, late])
      return JudgeReply.parse(message)
    } finally {
      for (const other of [said, exited, late]) other.catch(() => {})
      done.abort()
    }
  }

  close(): void {
    clearTimeout(this.#idle)
    this.#child?.kill('SIGKILL')
    this.#child = undefined
  }
}
