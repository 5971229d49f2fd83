import packageJson from '../package.json' with { type: 'json' }
import { command as acceptance } from './acceptance/command.ts'
import { runSimulator } from './cli/run-command.ts'
import { openTerminal } from './cli/terminal.ts'
import { command as inquire } from './inquire/command.ts'
import { command as keys } from './keys/command.ts'
import { command as load } from './load/command.ts'
import { command as place } from './place/command.ts'
import { command as receive } from './receive/command.ts'

const terminal = openTerminal({ out: process.stdout, err: process.stderr, env: process.env })
// A reader such as `| head` closes the pipe when it has enough: that is not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) =>
  process.exit(error.code === 'EPIPE' ? 0 : 1),
)
process.exitCode = await runSimulator(
  process.argv.slice(2),
  [place, inquire, load, acceptance, keys, receive],
  terminal,
  packageJson.version,
)
