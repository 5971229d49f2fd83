import { type ParseArgsOptionDescriptor, type ParseArgsOptionsConfig, parseArgs } from 'node:util'
import { type Command, UsageError } from './command.ts'
import type { Terminal } from './terminal.ts'

/** An option of a command: what parseArgs needs, and what `--help` says of it. */
export type Option = ParseArgsOptionDescriptor & {
  help: string
  /** What stands after the option in its help, such as `<file>`. */
  value?: string
}
export type Options = Record<string, Option>

const helpOption = { type: 'boolean', short: 'h', help: 'this text' } as const satisfies Option

/**
 * Reads a command's arguments, strictly.
 *
 * @throws UsageError on an unknown option, a missing value, or more than `positionalsMax` words without an option
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
  if (surplus !== undefined) throw new UsageError(`I do not know what to do with '${surplus}'`)
  return parsed
}

/** Whether help is asked for: looked at first, so that it is given whatever else is wrong. */
export const asksForHelp = (args: string[]): boolean =>
  args.includes('--help') || args.includes('-h')

/** Prints a command's help: how to write it, what it does, and its options. */
export function printHelp(
  { name, summary }: Pick<Command, 'name' | 'summary'>,
  {
    positionals = '',
    options,
    notes = [],
  }: { positionals?: string; options: Options; notes?: readonly string[] },
  terminal: Terminal,
): void {
  const head = `simulator ${name}${positionals && ` ${positionals}`} [options]`
  terminal.print(`${terminal.paint('bold', head)}\n\n${summary}\n`)
  const all = Object.entries<Option>({ ...options, help: helpOption })
  const left = all.map(([option, { value, short }]) => {
    return `  --${option}${value === undefined ? '' : ` ${value}`}${short === undefined ? '' : `, -${short}`}`
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
 * @throws UsageError when it is no number, or outside of [min, max]
 */
export function numberOf(
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
  if (!good) throw new UsageError(`--${option} ${text}: is no ${whole ? 'whole ' : ''}number`)
  if (value < min || value > max)
    throw new UsageError(`--${option} ${text}: must be between ${min} and ${max}`)
  return value
}
