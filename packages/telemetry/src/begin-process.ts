import { pino } from 'pino'
import { openLog } from './log.ts'

/** What a process reads and writes while it begins. */
export type BeginProcess = {
  name: string
  /** Printed for --help. It takes no other arguments. */
  help: string
  args: readonly string[]
}

/**
 * The first line of a process: prints its help where that is asked for, and refuses other arguments. Until `begun` is
 * called, what is thrown ends it in one block of words for people and, where the log is JSON, one line of it.
 */
export function beginProcess({ name, help, args }: BeginProcess): { begun: () => void } {
  if (args.some((arg) => arg === '--help' || arg === '-h')) {
    process.stdout.write(help)
    process.exit(0)
  }
  if (args.length > 0) {
    process.stderr.write(`${name} takes no arguments but --help: ${args.join(' ')}\n\n${help}`)
    process.exit(2)
  }
  const fail = (error: unknown) => {
    process.stderr.write(`${name} did not start:\n${faultsOf(error).map(indented).join('\n')}\n`)
    if (!process.stdout.isTTY) {
      const destination = pino.destination({ dest: 1, sync: true })
      const log = openLog({ name, level: 'fatal', destination })
      log.fatal({ err: error, faults: faultsOf(error) }, 'did not start')
    }
    process.exit(1)
  }
  process.on('uncaughtException', fail)
  return { begun: () => process.off('uncaughtException', fail) }
}

const indented = (fault: string): string => `  - ${fault.replaceAll('\n', '\n    ')}`

/** What is wrong, and what to do: what an operator wrote has faults, all of them named at once; else what failed, and why. */
export function faultsOf(error: unknown): string[] {
  if (!(error instanceof Error)) return [String(error)]
  if ('faults' in error && Array.isArray(error.faults)) return error.faults.map(String)
  const why = error.cause === undefined ? [] : faultsOf(error.cause)
  return [[inWords(error), ...why].join(': ')]
}

function inWords(error: Error & { code?: unknown; port?: unknown; address?: unknown }): string {
  const { code, address, port, message } = error
  if (code === 'EADDRINUSE')
    return `port ${port} at ${address} is taken: end what listens there, or set PORT or ADMIN_PORT to another one`
  if (code === 'EACCES' && port !== undefined)
    return `port ${port} at ${address} may not be listened on: set PORT or ADMIN_PORT to one from 1024 up`
  if (code === 'EADDRNOTAVAIL')
    return `${address} is not an address of this machine: set HOST or ADMIN_HOST to one that is`
  return message
}
