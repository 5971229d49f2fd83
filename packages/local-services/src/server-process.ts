import { type ChildProcess, execFile } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { promisify } from 'node:util'
import type { BoundProcess } from './bound-process.ts'

// What local servers have in common, whatever they serve.

/** Runs a program to its end. */
export const run = promisify(execFile)

const STOP_MS_MAX = 5_000

/** Whether a program is there and ends well. */
export const answers = (command: string, args: string[]): Promise<boolean> =>
  run(command, args, { timeout: 5_000 }).then(
    () => true,
    () => false,
  )

/** Resolves with how a server ended, and the last it said. */
export function endOf({ process: child }: BoundProcess): Promise<string> {
  let said = ''
  const listen = (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-2_000)
  }
  child.stdout?.on('data', listen)
  child.stderr?.on('data', listen)
  return new Promise((resolve) => {
    child.once('error', ({ message }) => resolve(message))
    child.once('close', (code, signal) => resolve(`${signal ?? `exit code ${code}`}\n${said}`))
  })
}

/** Ends a server and waits for its end, 5 s at most; then it is killed. */
export async function stop(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill(signal)
  const killing = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX)
  await ended
  clearTimeout(killing)
}

/** Runs a step and says what it is when it takes longer than a second. */
export async function during<T>(
  step: string,
  onProgress: (step: string) => void,
  body: () => Promise<T>,
): Promise<T> {
  const telling = setTimeout(() => onProgress(step), 1_000)
  try {
    return await body()
  } finally {
    clearTimeout(telling)
  }
}

/**
 * Where systems do not take ports for outgoing connections from (Linux: 32768 and up): one of those may be taken between
 * being found free and being listened on.
 */
const PORTS = { from: 20_000, to: 32_000 } as const

/** A port nobody listens on now. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORTS.from, PORTS.to)
    const server = createServer()
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true))
    })
    await new Promise((resolve) => server.close(resolve))
    if (free) return port
  }
}
