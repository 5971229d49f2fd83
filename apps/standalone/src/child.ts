import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { spawnBound } from '@placeorder/local-services/bound-process'

/** One program of this repository, running. */
export type Child = {
  name: string
  pid: number
  /**
   * Resolves with the line by which it says that it is ready.
   *
   * @throws when it ends before, with what it said
   */
  ready: Promise<string>
  /** Resolves with why it ended. */
  ended: Promise<string>
  /** Requests its end and waits for it, `withinMs` at most; then it is killed. */
  stop: (withinMs: number) => Promise<void>
}

export type StartChild = {
  name: string
  /** Its main file, from the repository's root. */
  entry: string
  env: Record<string, string>
  /** What a line has in it that says it is ready. */
  ready: string
  onLine: (line: string) => void
  /** Processes that end before it when we are gone. */
  endsAfter: number[]
  keepOpen: number
}

const root = join(import.meta.dirname, '../../..')

/** Starts a program whose end is bound to ours. */
export function startChild({ name, entry, env, ready, onLine, ...bound }: StartChild): Child {
  const { endsAfter, keepOpen } = bound
  const args = [...process.execArgv, join(root, entry)]
  const { process: child, endsAfter: nameFirst } = spawnBound(process.execPath, args, {
    cwd: root,
    env,
    keepOpen,
  })
  for (const pid of endsAfter) nameFirst(pid)
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  const ended = endOf(child).finally(() => process.off('exit', kill))
  const lines: string[] = []
  const isReady = new Promise<string>((resolve) => {
    eachLine(child, (line) => {
      lines.push(line)
      if (lines.length > 20) lines.shift()
      onLine(line)
      if (line.includes(ready)) resolve(line)
    })
  })
  const early = ended.then((why) => {
    throw new Error(`${name} did not start (${why}):\n${toRead(lines)}`)
  })
  const up = Promise.race([isReady, early])
  up.catch(() => {}) // It matters only until the program is ready.
  return {
    name,
    pid: child.pid ?? -1,
    ready: up,
    ended,
    stop: (withinMs) => stop(child, ended, withinMs),
  }
}

/** What a program wrote for people; if it wrote nothing but its log, that. */
function toRead(lines: string[]): string {
  const words = lines.filter((line) => !line.startsWith('{'))
  return (words.length > 0 ? words : lines).join('\n')
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
