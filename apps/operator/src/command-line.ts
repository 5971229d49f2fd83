import { parseArgs } from 'node:util'
import { ConfigFault } from '@placeorder/config'
import { ShardsFault } from '@placeorder/store'

/** What the process exits with. */
export const exitCode = {
  good: 0,
  /** What was asked for is bad or is not there, or Redis did not do what it was asked. */
  missed: 1,
  /** The arguments, a file's name or the environment make no sense. */
  usage: 2,
} as const

/** The part of a stream that a command writes to. */
export type Screen = { write: (text: string) => unknown; isTTY?: boolean | undefined }

/** A command line: its words, undefined if it makes no sense; its flags; and its options that have a value. */
export type CommandLine = {
  words: string[] | undefined
  asksForHelp: boolean
  flags: ReadonlySet<string>
  values: ReadonlyMap<string, string>
}

/** Reads a command line that has words and, besides --help, these flags and options. After `--` all are words. */
export function readWords(
  args: string[],
  flags: readonly string[] = [],
  valued: readonly string[] = [],
): CommandLine {
  const boolean = { type: 'boolean' } as const
  const string = { type: 'string' } as const
  const options = {
    ...Object.fromEntries(flags.map((flag) => [flag, boolean])),
    ...Object.fromEntries(valued.map((name) => [name, string])),
    help: { type: 'boolean', short: 'h' },
  } as const
  try {
    const { values, positionals: words } = parseArgs({ args, options, allowPositionals: true })
    const given = Object.entries(values)
    const set = given.flatMap(([name, on]) => (on === true ? [name] : []))
    const texts = given.flatMap(([name, text]) =>
      typeof text === 'string' ? [[name, text] as const] : [],
    )
    return {
      words,
      asksForHelp: set.includes('help') || words[0] === 'help',
      flags: new Set(set),
      values: new Map(texts),
    }
  } catch {
    return { words: undefined, asksForHelp: false, flags: new Set(), values: new Map() }
  }
}

/** After this many ms without Redis, who waits is told why. */
const PATIENCE_MS = 1_000

/** Says what is waited for when opening takes long. */
export async function warnWhenSlow<T>(opening: Promise<T>, err: Screen): Promise<T> {
  const waiting = setTimeout(
    () => err.write('waiting for Redis: is REDIS_URL right?\n'),
    PATIENCE_MS,
  )
  return opening.finally(() => clearTimeout(waiting))
}

/** Runs a command, tells what went wrong in a line, and resolves with the exit code. */
export async function runCommand(run: () => Promise<number>, err: Screen): Promise<number> {
  try {
    return await run()
  } catch (error) {
    err.write(`${error instanceof Error ? error.message : error}\n`)
    return error instanceof ConfigFault || error instanceof ShardsFault
      ? exitCode.usage
      : exitCode.missed
  }
}
