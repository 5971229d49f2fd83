import { parseArgs } from 'node:util'
import { ConfigFault } from '@placeorder/config'
import { ShardsFault } from '@placeorder/store'

/** The exit codes of the commands. */
export const exitCode = {
  good: 0,
  /** A record is bad or does not exist, or Redis could not do what was asked. */
  missed: 1,
  /** The arguments, a file's name or the environment are invalid. */
  usage: 2,
} as const

/** The part of a stream that a command writes to. */
export type Screen = { write: (text: string) => unknown; isTTY?: boolean | undefined }

/**
 * A parsed command line: its words, undefined if it is invalid; its flags; and its options with a
 * value.
 */
export type CommandLine = {
  words: string[] | undefined
  asksForHelp: boolean
  flags: ReadonlySet<string>
  values: ReadonlyMap<string, string>
}

/**
 * Parses a command line with words and, besides --help, these flags and options. After `--` all are
 * words.
 */
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

/** After this time (ms) without Redis, the reason for the wait is printed. */
const SLOW_MS = 1_000

/** Prints what it is waiting for if opening takes long. */
export async function warnWhenSlow<T>(opening: Promise<T>, err: Screen): Promise<T> {
  const waiting = setTimeout(() => err.write('waiting for Redis: is REDIS_URL right?\n'), SLOW_MS)
  return opening.finally(() => clearTimeout(waiting))
}

/** Runs a command, prints an error in one line, and resolves with the exit code. */
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
