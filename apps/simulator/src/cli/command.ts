import type { Terminal } from './terminal.ts'

/** One word after `simulator`. */
export type Command = {
  name: string
  /** One line for the list of commands. */
  summary: string
  /**
   * Does it and gives the exit code. `--help` is the command's own.
   *
   * @throws UsageError when the arguments make no sense; main prints its message and exits with `exit.usage`
   */
  run(args: string[], terminal: Terminal): Promise<number>
}

/** What the process exits with. */
export const exit = {
  good: 0,
  /** It ran, but an answer was not as hoped, an objective was missed or a case failed. */
  missed: 1,
  /** The arguments, or a file they name, make no sense. */
  usage: 2,
} as const

/** The arguments, or a file they name, make no sense; the message tells what to do. */
export class UsageError extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options)
    this.name = 'UsageError'
  }
}
