import { type ParseArgsOptionDescriptor, type ParseArgsOptionsConfig, parseArgs } from 'node:util'
import { type Command, UsageError } from './command.ts'
import type { Terminal } from './terminal.ts'

/** An option of a command: what parseArgs needs, and its line in `--help`. */
export type CommandOption = ParseArgsOptionDescriptor & {
  help: string
  /** The placeholder after the option in its help, such as `<file>`. */
  value?: string
}
export type CommandOptions = Record<string, CommandOption>

const helpOption = {
  type: 'boolean',
  short: 'h',
  help: 'print this help',
} as const satisfies CommandOption

/**
 * Reads a command's arguments, strictly.
 *
 * @throws UsageError on an unknown option, a missing value, or more than `positionalsMax`
 *   positionals
 */
export function readArgs<const O extends ParseArgsOptionsConfig>(
  args: string[],
  options: O,
  positionalsMax = 0,
) {
  const read = () =>
    parseArgs({
      args,
      options: { ...options, help: helpOption },
      strict: true,
      allowPositionals: true,
    })
  let parsed: ReturnType<typeof read>
  try {
    parsed = read()
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause })
  }
  const surplus = parsed.positionals[positionalsMax]
  if (surplus !== undefined) throw new UsageError(`unexpected argument '${surplus}'`)
  return parsed
}

/** Whether help is asked for: checked first, so that it is printed whatever else is wrong. */
export const asksForHelp = (args: string[]): boolean =>
  args.includes('--help') || args.includes('-h')

/** Prints a command's help: its usage, what it does, and its options. */
export function printHelp(
  { name, summary }: Pick<Command, 'name' | 'summary'>,
  {
    positionals = '',
    options,
    notes = [],
  }: { positionals?: string; options: CommandOptions; notes?: readonly string[] },
  terminal: Terminal,
): void {
  const head = `simulator ${name}${positionals && ` ${positionals}`} [options]`
  terminal.print(`${terminal.paint('bold', head)}\n\n${summary}\n`)
  const all = Object.entries<CommandOption>({ ...options, help: helpOption })
  const left = all.map(([option, { value, short }]) => {
    const placeholder = value === undefined ? '' : ` ${value}`
    return `  --${option}${placeholder}${short === undefined ? '' : `, -${short}`}`
  })
  const width = Math.max(...left.map(({ length }) => length))
  for (const [at, [, option]] of all.entries()) {
    const standard = typeof option.default === 'string' ? ` (${option.default})` : ''
    terminal.print(
      `${(left[at] ?? '').padEnd(width)}  ${option.help}${terminal.paint('dim', standard)}`,
    )
  }
  if (notes.length > 0) terminal.print(`\n${notes.join('\n')}`)
}

/**
 * Reads a number given as an option.
 *
 * @throws UsageError when it is not a number, or outside of [min, max]
 */
export function readNumber(
  option: string,
  text: string,
  {
    min = 0,
    max = Number.MAX_SAFE_INTEGER,
    whole = false,
  }: { min?: number; max?: number; whole?: boolean } = {},
): number {
  const value = Number(text)
  const good = text.trim() !== '' && Number.isFinite(value) && (!whole || Number.isInteger(value))
  if (!good) throw new UsageError(`--${option} ${text}: is not a ${whole ? 'whole ' : ''}number`)
  if (value < min || value > max)
    throw new UsageError(`--${option} ${text}: must be between ${min} and ${max}`)
  return value
}
