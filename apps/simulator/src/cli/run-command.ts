import { type Command, exitCode, UsageError } from './command.ts'
import type { Terminal } from './terminal.ts'

/** Runs the command that the arguments name and returns the exit code; throws unexpected errors. */
export async function runSimulator(
  args: string[],
  commands: readonly Command[],
  terminal: Terminal,
  version: string,
): Promise<number> {
  const [name, ...rest] = args
  if (name === '--version' || name === '-V') {
    terminal.print(version)
    return exitCode.ok
  }
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    printCommands(commands, terminal)
    return name === undefined ? exitCode.usage : exitCode.ok
  }
  const command = commands.find((candidate) => candidate.name === name)
  try {
    if (command === undefined) throw new UsageError(`there is no command '${name}'`)
    return await command.run(rest, terminal)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    terminal.note(`${terminal.paint('red', error.message)}`)
    terminal.note(`See: simulator ${command === undefined ? '' : `${command.name} `}--help`)
    return exitCode.usage
  }
}

function printCommands(commands: readonly Command[], terminal: Terminal): void {
  terminal.print(`${terminal.paint('bold', 'simulator <command> [options]')}\n`)
  terminal.print('Plays Alipay+ against any acquirer that speaks placeOrder.\n')
  const width = Math.max(...commands.map(({ name }) => name.length))
  for (const { name, summary } of commands) terminal.print(`  ${name.padEnd(width)}  ${summary}`)
  terminal.print('\nEach has --help. By default they call the standalone app on this machine.')
}
