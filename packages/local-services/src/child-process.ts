import type { ChildProcess } from 'node:child_process'

/** A child process that does not outlive this process. */
export type OwnedChild = {
  /** Resolves with how it ended: its exit code, the signal, or why it could not be started. */
  ended: Promise<string>
  /** Sends `stopSignal` and waits for the end, `withinMs` at most; then it sends SIGKILL. */
  stop: (withinMs: number) => Promise<void>
}

type OwnOptions = {
  stopSignal?: NodeJS.Signals
  /** What the child is sent when this process exits. */
  exitSignal?: NodeJS.Signals
}

/** Ends a child process when this process exits, and follows it until its end. */
export function ownChild(
  child: ChildProcess,
  { stopSignal = 'SIGTERM', exitSignal = 'SIGKILL' }: OwnOptions = {},
): OwnedChild {
  const atExit = () => child.kill(exitSignal)
  process.once('exit', atExit)
  const ended = endOf(child).finally(() => process.off('exit', atExit))
  return {
    ended,
    stop: async (withinMs) => {
      child.kill(stopSignal)
      const killing = setTimeout(() => child.kill('SIGKILL'), withinMs)
      await ended
      clearTimeout(killing)
    },
  }
}

/** Resolves with how a child process ended, once its output is closed. */
export const endOf = (child: ChildProcess): Promise<string> =>
  new Promise((resolve) => {
    child.once('error', ({ message }) => resolve(message))
    child.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`))
  })

/** Calls `onLine` with each line that a child process writes to stdout or stderr. */
export function eachLine(child: ChildProcess, onLine: (line: string) => void): void {
  for (const stream of [child.stdout, child.stderr]) {
    let rest = ''
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      lines.forEach(onLine)
    })
  }
}
