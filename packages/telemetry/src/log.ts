import { type DestinationStream, type LogFn, type Logger, pino } from 'pino'
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
const hidden: ReadonlySet<string> = new Set([
  'codeValue',
  'customerId',
  'userAgent',
  'signature',
  'key',
  'privateKey',
  'password',
  'authorization',
])

/** A text is cut after so many characters: ids have 64, and our own sentences fit. */
const TEXT_MAX = 512

/** What a reader does not see, and a terminal may obey: controls, marks of direction, separators of lines, halves of pairs. */
const unseen = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

/** A text that anybody may have written, as a line of a log shows it: cut, and with what is unseen written out. */
export function plain(text: string, charactersMax = TEXT_MAX): string {
  const short =
    text.length <= charactersMax
      ? text
      : `${text.slice(0, charactersMax)}… (${text.length} characters)`
  return short.replace(
    unseen,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/**
 * What a line tells of an error: never its other members, in which libraries keep what they were about (ioredis a
 * command with its arguments), nor what JSON.parse quotes of a text it cannot read.
 */
function reportError(error: unknown): unknown {
  if (!(error instanceof Error)) return typeof error
  const { name, message, cause, stack = '' } = error
  return {
    type: name,
    message: lines(message.replace(/, (\.\.\.)?".*is not valid JSON/s, ' is not valid JSON')),
    ...('code' in error ? { code: shownItem(error.code, 1) } : {}),
    stack: stack.slice(Math.max(0, stack.indexOf('\n    at'))),
    ...(cause === undefined ? {} : { cause: reportError(cause) }),
  }
}

/** The message of an error may have lines of its own: all faults of a file, each in one. */
const LINES_MAX = 50
const lines = (message: string): string =>
  message
    .split('\n', LINES_MAX)
    .map((line) => plain(line))
    .join('\n')

/** How deep the log looks for them; what lies deeper is not shown. */
const DEPTH_MAX = 5

/**
 * A copy without what is hidden. An order is a line or two, and pino's own redaction takes 14 of the 16 µs of a line,
 * whatever is in it; this takes less than one where nothing lies deep.
 */
function shown(value: object, depth = DEPTH_MAX): Record<string, unknown> {
  const copy: Record<string, unknown> = {}
  for (const [name, item] of Object.entries(value)) {
    copy[plain(name)] = hidden.has(name) ? '[hidden]' : shownItem(item, depth - 1)
  }
  return copy
}

function shownItem(item: unknown, depth: number): unknown {
  if (typeof item === 'string') return plain(item)
  if (!isObject(item)) return item
  if (depth === 0) return '[deep]'
  return Array.isArray(item) ? item.map((one) => shownItem(one, depth - 1)) : shown(item, depth)
}

/** What is made of parts that may have to be hidden. Errors are told by `reportError`. */
const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !(value instanceof Error) && !('toJSON' in value)

/**
 * Lines are written while the process goes on, together with those that came meanwhile: it never waits for a slow disk
 * or reader. Past so many bytes nobody reads any more, and lines are dropped.
 */
const UNWRITTEN_BYTES_MAX = 16 * 2 ** 20

/** The words of a line are ours, but for what they quote. */
function plainly(this: Logger, args: Parameters<LogFn>, method: LogFn): void {
  const [first, second, ...rest] = args
  const words = typeof second === 'string' ? plain(second) : second
  method.call(this, typeof first === 'string' ? plain(first) : first, words, ...rest)
}

/** Opens the log of one process: JSON lines, or words for people when it is read on a terminal. */
export function openLog({ name, level, pretty: words = false, destination }: LogOptions): Logger {
  const options = {
    name,
    level,
    base: { pid: process.pid },
    redact: { paths: [...hidden], censor: '[hidden]' }, // What a child logger names comes by this way alone.
    formatters: { log: shown },
    serializers: { err: reportError },
    hooks: { logMethod: plainly },
  }
  if (words)
    return pino(
      options,
      pretty({ colorize: true, ignore: 'pid,hostname', translateTime: 'HH:MM:ss.l' }),
    )
  return pino(
    options,
    destination ?? pino.destination({ dest: 1, sync: false, maxLength: UNWRITTEN_BYTES_MAX }),
  )
}
