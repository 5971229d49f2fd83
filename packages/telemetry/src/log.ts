import { type DestinationStream, type Logger, pino } from 'pino'
import pretty from 'pino-pretty'

export type { Logger } from 'pino'

export type LogOptions = {
  name: string
  level: string
  /** Words for people instead of JSON; for a terminal. */
  pretty?: boolean
  /** Where lines go, if not to standard output. */
  destination?: DestinationStream
}

/** What is personal or secret. No line of ours names them; should one by mistake, it does not show them. */
const hidden = [
  'codeValue',
  'customerId',
  'userAgent',
  'signature',
  'key',
  'privateKey',
  'password',
  'authorization',
]

/**
 * What a line tells of an error: never its other members, in which libraries keep what they were about (ioredis a
 * command with its arguments), nor what JSON.parse quotes of a text it cannot read.
 */
function tellError(error: unknown): unknown {
  if (!(error instanceof Error)) return typeof error
  const { name, message, cause, stack = '' } = error
  return {
    type: name,
    message: message.replace(/, (\.\.\.)?".*is not valid JSON/s, ' is not valid JSON'),
    ...('code' in error ? { code: error.code } : {}),
    stack: stack.slice(Math.max(0, stack.indexOf('\n    at'))),
    ...(cause === undefined ? {} : { cause: tellError(cause) }),
  }
}

/** How deep the log looks for them. */
const levels = ['', '*.', '*.*.', '*.*.*.']

/** Opens the log of one process: JSON lines, or words for people when it is read on a terminal. */
export function openLog({ name, level, pretty: words = false, destination }: LogOptions): Logger {
  const options = {
    name,
    level,
    base: { pid: process.pid },
    serializers: { err: tellError },
    redact: { paths: levels.flatMap((deep) => hidden.map((word) => `${deep}${word}`)), censor: '[hidden]' },
  }
  if (words)
    return pino(options, pretty({ colorize: true, ignore: 'pid,hostname', translateTime: 'HH:MM:ss.l' }))
  return destination === undefined ? pino(options) : pino(options, destination)
}
