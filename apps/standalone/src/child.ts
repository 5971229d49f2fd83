import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { spawnBound } from '@placeorder/local-services/bound-process'
import { eachLine, endOf, ownChild } from '@placeorder/local-services/child-process'
import { repositoryRoot } from '@placeorder/local-services/repository-root'

/** One program of this repository, running. */
export type Child = {
  name: string
  pid: number
  /**
   * Resolves with the line that says that it is ready.
   *
   * @throws if it ends before, with its output
   */
  ready: Promise<string>
  /** Resolves with how it ended. */
  ended: Promise<string>
  /** Sends SIGTERM and waits for the end, `withinMs` at most; then it is killed. */
  stop: (withinMs: number) => Promise<void>
}

export type StartChild = {
  name: string
  /** Its main file, from the repository's root. */
  entry: string
  env: Record<string, string>
  /** A part of the line that says that it is ready. */
  ready: string
  onLine: (line: string) => void
  /** Processes that end before it when this process has ended. */
  endsAfter: number[]
  keepOpen: number
}

/** Starts a program that ends when this process has ended. */
export function startChild({ name, entry, env, ready, onLine, ...bound }: StartChild): Child {
  const { endsAfter, keepOpen } = bound
  const args = [...process.execArgv, join(repositoryRoot, entry)]
  const { process: child, endsAfter: nameFirst } = spawnBound(process.execPath, args, {
    cwd: repositoryRoot,
    env,
    keepOpen,
  })
  for (const pid of endsAfter) nameFirst(pid)
  const { ended, stop } = ownChild(child)
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
    throw new Error(`${name} did not start (${why}):\n${readable(lines)}`)
  })
  const up = Promise.race([isReady, early])
  up.catch(() => {}) // It matters only until the program is ready.
  return {
    name,
    pid: child.pid ?? -1,
    ready: up,
    ended,
    stop,
  }
}

/** The lines that a program wrote for people; its log if there are none. */
function readable(lines: string[]): string {
  const texts = lines.filter((line) => !line.startsWith('{'))
  return (texts.length > 0 ? texts : lines).join('\n')
}

/**
 * Runs a program to its end.
 *
 * @throws if it fails, with its output
 */
export async function demandChild(
  { name, entry, args }: { name: string; entry: string; args: string[] },
  env: Record<string, string>,
): Promise<void> {
  const child = spawn(process.execPath, [join(repositoryRoot, entry), ...args], {
    cwd: repositoryRoot,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines: string[] = []
  eachLine(child, (line) => lines.push(line))
  await endOf(child)
  if (child.exitCode !== 0) throw new Error(`${name} failed:\n${lines.join('\n')}`)
}

/** Runs a program on our terminal until its end; resolves with its exit code. */
export async function runChild(
  entry: string,
  args: string[],
  env: Record<string, string>,
): Promise<number> {
  const child = spawn(process.execPath, [join(repositoryRoot, entry), ...args], {
    cwd: repositoryRoot,
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  await endOf(child)
  return child.exitCode ?? 1
}
