import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { eachLine, ownChild } from '@placeorder/local-services/child-process'
import { repositoryRoot } from '@placeorder/local-services/repository-root'

/** A program of this repository, running for a test. */
export type RunningProcess = {
  name: string
  pid: number
  /** What it has logged so far: all of it, or the newest 10,000 lines at least. */
  lines: readonly string[]
  /** Resolves with the first line that matches, among those logged and those to come. */
  waitFor: (pattern: RegExp) => Promise<string>
  kill: (signal: NodeJS.Signals) => void
  /** Resolves with how it ended: its exit code, or the signal that ended it. */
  exited: Promise<number | NodeJS.Signals>
}

export type StartProcess = {
  name: string
  /** Its main file, from the root. */
  entry: string
  /** The repository it is run from: this one by default. */
  root?: string
  args?: string[]
  /** Its environment, besides the inherited part. */
  env?: Record<string, string>
  /** Called with each line it logs. */
  onLine?: (line: string) => void
}

/** How long a line is waited for (ms). On a very busy machine a start alone may take a minute. */
const LINE_MS_MAX = 120_000

/** How many lines are kept at least: of twice as many the older half is dropped. */
const LINES_KEPT = 10_000

/**
 * The part of our environment that a program gets: PATH, HOME and where Node keeps compiled code.
 * So two runs are alike, whatever else is set.
 */
export function inheritedEnvironment(): Record<string, string> {
  const { PATH = '', HOME = '', NODE_COMPILE_CACHE = '' } = process.env
  return { PATH, HOME, NODE_COMPILE_CACHE }
}

/** Starts a program as it is run in production. It ends with this process, however that ends. */
export function startProcess({
  name,
  entry,
  root = repositoryRoot,
  args = [],
  env = {},
  onLine = () => {},
}: StartProcess): RunningProcess {
  const child = spawn(process.execPath, ['--v8-pool-size=1', join(root, entry), ...args], {
    cwd: root,
    env: { ...inheritedEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const kill = (signal: NodeJS.Signals) => void child.kill(signal)
  const { ended } = ownChild(child)
  const exited = ended.then(() => child.signalCode ?? child.exitCode ?? -1)
  const lines: string[] = []
  const waiting = new Set<(line: string) => void>()
  eachLine(child, (line) => {
    lines.push(line)
    if (lines.length >= 2 * LINES_KEPT) lines.splice(0, LINES_KEPT)
    onLine(line)
    for (const check of waiting) check(line)
  })
  const waitFor = async (pattern: RegExp): Promise<string> => {
    const logged = lines.find((line) => pattern.test(line))
    if (logged !== undefined) return logged
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    const fail = (why: string) => {
      const last = lines.slice(-30).join('\n')
      reject(new Error(`${name} ${why} without a line like ${pattern}:\n${last}`))
    }
    const check = (line: string) => void (pattern.test(line) && resolve(line))
    const timer = setTimeout(() => fail('went on'), LINE_MS_MAX)
    waiting.add(check)
    exited.then(() => fail('ended'))
    return promise.finally(() => {
      waiting.delete(check)
      clearTimeout(timer)
    })
  }
  return { name, pid: child.pid ?? -1, lines, waitFor, kill, exited }
}
