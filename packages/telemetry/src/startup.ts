import { pino } from 'pino'
import { openLog } from './log.ts'

/** What the start of a process needs. */
export type StartupOptions = {
  name: string
  /** Printed for --help, the only argument there is. */
  help: string
  args: readonly string[]
}

/**
 * Begins the start of a process: prints its help if that is asked for, and refuses other arguments.
 * From here on SIGHUP does not end it: it reads its files again once it has read them.
 * Until `started` is called, an exception ends the process with a readable block on standard error
 * and, unless standard output is a terminal, one JSON line in the log.
 */
export function beginStartup({ name, help, args }: StartupOptions): { started: () => void } {
  if (args.some((arg) => arg === '--help' || arg === '-h')) {
    process.stdout.write(help)
    process.exit(0)
  }
  if (args.length > 0) {
    process.stderr.write(`${name} takes no arguments but --help: ${args.join(' ')}\n\n${help}`)
    process.exit(2)
  }
  const fail = (error: unknown) => {
    process.stderr.write(
      `${name} did not start:\n${startupFaults(error).map(indented).join('\n')}\n`,
    )
    if (!process.stdout.isTTY) {
      const destination = pino.destination({ dest: 1, sync: true })
      const log = openLog({ name, level: 'fatal', destination })
      log.fatal({ err: error, faults: startupFaults(error) }, 'did not start')
    }
    process.exit(1)
  }
  process.on('uncaughtException', fail)
  process.on('SIGHUP', () => {})
  return { started: () => process.off('uncaughtException', fail) }
}

const indented = (fault: string): string => `  - ${fault.replaceAll('\n', '\n    ')}`

/**
 * Why a process did not start: every fault of its configuration, or else the error with its causes.
 */
export function startupFaults(error: unknown): string[] {
  if (!(error instanceof Error)) return [String(error)]
  if ('faults' in error && Array.isArray(error.faults)) return error.faults.map(String)
  const what = describe(error)
  const why = error.cause === undefined ? [] : startupFaults(error.cause)
  return [[what, ...why.filter((cause) => !what.includes(cause))].join(': ')]
}

function describe(error: Error & { code?: unknown; port?: unknown; address?: unknown }): string {
  const { code, address, port, message } = error
  if (code === 'EADDRINUSE')
    return [
      `port ${port} at ${address} is in use:`,
      'stop the process that listens there, or set PORT or ADMIN_PORT to another one',
    ].join(' ')
  if (code === 'EACCES' && port !== undefined)
    return [
      `this user may not listen on port ${port} at ${address}:`,
      'set PORT or ADMIN_PORT to 1024 or higher',
    ].join(' ')
  if (code === 'EADDRNOTAVAIL')
    return `${address} is not an address of this machine: set HOST or ADMIN_HOST to one of its own`
  return message
}
