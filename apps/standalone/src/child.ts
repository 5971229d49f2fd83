import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'

/** One program of this repository, running. */
export type Child = {
  name: string
  /** Resolves with why it ended. */
  ended: Promise<string>
  /** Tells it to end and waits for it, `withinMs` at most; then it is killed. */
  stop: (withinMs: number) => Promise<void>
}

const root = join(import.meta.dirname, '../../..')

/**
 * Starts a program and resolves when it has said `ready`; its log goes to `onLine`. It has a process group of its own,
 * so that Ctrl-C reaches only us and all end in order.
 *
 * @throws when it ends before it is ready, with the last it said
 */
export async function startChild(
  name: string,
  entry: string,
  env: Record<string, string>,
  { ready, onLine }: { ready: string; onLine: (line: string) => void },
): Promise<Child> {
  const child = spawn(process.execPath, [...process.execArgv, join(root, entry)], {
    cwd: root,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  const ended = endOf(child).finally(() => process.off('exit', kill))
  const lines: string[] = []
  const isReady = new Promise<void>((resolve) => {
    eachLine(child, (line) => {
      lines.push(line)
      if (lines.length > 20) lines.shift()
      onLine(line)
      if (line.includes(ready)) resolve()
    })
  })
  const early = ended.then((why) => {
    throw new Error(`${name} did not start (${why}):\n${lines.join('\n')}`)
  })
  early.catch(() => {}) // It matters only until the program is ready.
  await Promise.race([isReady, early])
  return { name, ended, stop: (withinMs) => stop(child, ended, withinMs) }
}

/** Runs a program to its end with our terminal; resolves with its exit code. */
export async function runChild(
  entry: string,
  args: string[],
  env: Record<string, string>,
): Promise<number> {
  const child = spawn(process.execPath, [join(root, entry), ...args], {
    cwd: root,
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  await endOf(child)
  return child.exitCode ?? 1
}

const endOf = (child: ChildProcess): Promise<string> =>
  new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`))
  })

function eachLine(child: ChildProcess, onLine: (line: string) => void): void {
  for (const stream of [child.stdout, child.stderr]) {
    let rest = ''
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      lines.forEach(onLine)
    })
  }
}

async function stop(child: ChildProcess, ended: Promise<string>, withinMs: number): Promise<void> {
  child.kill('SIGTERM')
  const killing = setTimeout(() => child.kill('SIGKILL'), withinMs)
  await ended
  clearTimeout(killing)
}
