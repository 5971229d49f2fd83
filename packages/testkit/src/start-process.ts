import { spawn } from 'node:child_process'
import { join } from 'node:path'

/** A program of this repository, running for a test. */
export type Running = {
  name: string
  pid: number
  /** What it has logged so far; of a great deal, the newest part. */
  lines: readonly string[]
  /** Resolves with the first line, of those logged and those to come, that fits. */
  waitFor: (fits: RegExp) => Promise<string>
  kill: (signal: NodeJS.Signals) => void
  /** Resolves with how it ended: its exit code, or the signal that ended it. */
  exited: Promise<number | NodeJS.Signals>
}

export type StartProcess = {
  name: string
  /** Its main file, from the repository's root. */
  entry: string
  args?: string[]
  /** All of its environment, but for PATH, HOME and where Node keeps what it has compiled. */
  env?: Record<string, string>
  /** Told of each line it logs. */
  onLine?: (line: string) => void
}

const root = join(import.meta.dirname, '../../..')

/** How long a test waits for a line (ms). On a machine with much else to do, a start alone may take 20 s. */
const LINE_MS_MAX = 60_000

/** How many lines are kept, at least; of twice as many the older half is forgotten. */
const LINES_KEPT = 10_000

/** Starts a program as it is run in production. It ends with the test's process, whatever happens to that. */
export function startProcess({
  name,
  entry,
  args = [],
  env = {},
  onLine = () => {},
}: StartProcess): Running {
  const { PATH = '', HOME = '', NODE_COMPILE_CACHE = '' } = process.env
  const child = spawn(process.execPath, [join(root, entry), ...args], {
    cwd: root,
    env: { PATH, HOME, NODE_COMPILE_CACHE, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const kill = (signal: NodeJS.Signals) => void child.kill(signal)
  const atExit = () => kill('SIGKILL')
  process.once('exit', atExit)
  const lines: string[] = []
  const waiting = new Set<(line: string) => void>()
  for (const stream of [child.stdout, child.stderr]) {
    let rest = ''
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      const parts = (rest + chunk).split('\n')
      rest = parts.pop() ?? ''
      for (const line of parts) {
        lines.push(line)
        if (lines.length >= 2 * LINES_KEPT) lines.splice(0, LINES_KEPT)
        onLine(line)
        for (const hear of waiting) hear(line)
      }
    })
  }
  const exited = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('close', (code, signal) => {
      process.off('exit', atExit)
      resolve(signal ?? code ?? -1)
    })
  })
  const waitFor = async (fits: RegExp): Promise<string> => {
    const there = lines.find((line) => fits.test(line))
    if (there !== undefined) return there
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    const fail = (why: string) =>
      reject(
        new Error(`${name} ${why} without a line like ${fits}:\n${lines.slice(-30).join('\n')}`),
      )
    const hear = (line: string) => void (fits.test(line) && resolve(line))
    const timer = setTimeout(() => fail('went on'), LINE_MS_MAX)
    waiting.add(hear)
    exited.then(() => fail('ended'))
    return promise.finally(() => {
      waiting.delete(hear)
      clearTimeout(timer)
    })
  }
  return { name, pid: child.pid ?? -1, lines, waitFor, kill, exited }
}
