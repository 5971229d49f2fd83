import type { Terminal } from './terminal.ts'

/** A command: the first argument of `simulator`. */
export type Command = {
  name: string
  /** One line for the list of commands. */
  summary: string
  /**
   * Runs the command, `--help` included, and returns the exit code.
   *
   * @throws UsageError on invalid arguments; the message is printed and the process exits with 2
   */
  run(args: string[], terminal: Terminal): Promise<number>
}

export const exitCode = {
  ok: 0,
  /** It ran, but an answer was not as expected, an objective was missed or a case failed. */
  failed: 1,
  /** The arguments, or a file they name, are invalid. */
  usage: 2,
} as const

/** The arguments, or a file they name, are invalid; the message says what to change. */
export class UsageError extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options)
    this.name = 'UsageError'
  }
}

/** The acquirer did not answer the order that a long run places first. */
export class NoAnswerError extends Error {}

/** Somebody pressed Ctrl-C. */
export class StoppedError extends Error {}

/** Runs `body` with a signal that Ctrl-C aborts, with `StoppedError(reason)`. */
export async function untilInterrupted<T>(
  reason: string,
  body: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const stop = new AbortController()
  const onSignal = () => stop.abort(new StoppedError(reason))
  process.once('SIGINT', onSignal)
  try {
    return await body(stop.signal)
  } finally {
    process.removeListener('SIGINT', onSignal)
  }
}

/** The exit code of a run that ended without a result; rethrows any other error. */
export function noResult(error: unknown, terminal: Terminal): number {
  if (!(error instanceof NoAnswerError) && !(error instanceof StoppedError)) throw error
  terminal.note(terminal.paint('red', error.message))
  return exitCode.failed
}
