import { type DestinationStream, type LogFn, type Logger, pino } from 'pino'
import pretty from 'pino-pretty'

export type { Logger } from 'pino'

export type LogOptions = {
  name: string
  level: string
  /** Readable text instead of JSON, for a terminal. */
  pretty?: boolean
  /** Where lines go, if not to standard output. */
  destination?: DestinationStream
}

/** Fields that are personal or secret. We log none of them; this is the safety net. */
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

/** Longer texts are cut (characters): ids have at most 64, and our own sentences fit. */
const TEXT_MAX = 512

/**
 * Characters that a reader does not see and a terminal may obey: controls, marks of direction,
 * separators of lines, unpaired surrogates.
 */
const unseen = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

/** A text of unknown origin as the log shows it: cut, with invisible characters escaped. */
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

/** The names of errors that say what an operator must change; a stack would only hide that. */
const operatorFaults: ReadonlySet<string> = new Set([
  'ConfigFault',
  'RedisFault',
  'ShardsFault',
  'ArchiveFault',
])

/**
 * What is logged of an error. Never its other members, where libraries keep what they worked on
 * (ioredis a command with its arguments), nor what JSON.parse quotes of a text it cannot read.
 */
function reportError(error: unknown, isOfFault = false): unknown {
  if (!(error instanceof Error)) return typeof error
  const { name, message, cause, stack = '' } = error
  const isFault = isOfFault || operatorFaults.has(name)
  return {
    type: name,
    message: lines(message.replace(/, (\.\.\.)?".*is not valid JSON/s, ' is not valid JSON')),
    ...('code' in error ? { code: shownItem(error.code, 1) } : {}),
    ...(isFault ? {} : { stack: stack.slice(Math.max(0, stack.indexOf('\n    at'))) }),
    ...(cause === undefined ? {} : { cause: reportError(cause, isFault) }),
  }
}

/** The message of an error may have several lines: one for each fault of a file. */
const LINES_MAX = 50
const lines = (message: string): string =>
  message
    .split('\n', LINES_MAX)
    .map((line) => plain(line))
    .join('\n')

/** How deep objects are logged; what lies deeper is not shown. */
const DEPTH_MAX = 5

/**
 * A copy without the hidden fields. An order logs a line or two, and pino's own redaction takes 14
 * of the 16 µs of a line, whatever is in it; this takes less than one for flat objects.
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

/** Objects whose members may have to be hidden. Errors are logged by `reportError`. */
const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !(value instanceof Error) && !('toJSON' in value)

/**
 * Lines are written asynchronously: the process never waits for a slow disk or reader. Past this
 * many unwritten bytes nobody reads them any more, and lines are dropped.
 */
const UNWRITTEN_BYTES_MAX = 16 * 2 ** 20

/**
 * A line that follows another one waits for others for this long (ms): a write of its own takes up
 * to 150 µs of CPU in another thread. So many are lost with a process that is killed.
 */
const BATCH_MS = 50

/** So many characters do not wait for more. */
const BATCH_MAX = 8_192

/** The lowest level of lines that wait for no others. */
const WARN = 40

/** Escapes the message of a line, which may quote a caller. */
function escapeMessage(this: Logger, args: Parameters<LogFn>, method: LogFn): void {
  const [first, second, ...rest] = args
  const message = typeof second === 'string' ? plain(second) : second
  method.call(this, typeof first === 'string' ? plain(first) : first, message, ...rest)
}

/** Opens the log of one process: JSON lines, or readable text on a terminal. */
export function openLog({
  name,
  level,
  pretty: isPretty = false,
  destination,
}: LogOptions): Logger {
  const options = {
    name,
    level,
    base: { pid: process.pid },
    // The fields of a child logger pass through here alone.
    redact: { paths: [...hidden], censor: '[hidden]' },
    formatters: { log: shown },
    serializers: { err: (error: unknown) => reportError(error) },
    hooks: { logMethod: escapeMessage },
  }
  if (isPretty)
    return pino(
      options,
      pretty({ colorize: true, ignore: 'pid,hostname', translateTime: 'HH:MM:ss.l' }),
    )
  return pino(options, destination ?? standardOutput())
}

function standardOutput(): DestinationStream {
  let waiting = ''
  let batch: NodeJS.Timeout | undefined
  const write = () => {
    if (waiting !== '') output.write(waiting)
    waiting = ''
  }
  process.on('exit', write) // Before pino's own listener, which writes synchronously what it has.
  const output = pino.destination({ dest: 1, sync: false, maxLength: UNWRITTEN_BYTES_MAX })
  const endBatch = () => {
    batch = waiting === '' ? undefined : setTimeout(endBatch, BATCH_MS).unref()
    write()
  }
  const stream = {
    [Symbol.for('pino.metadata')]: true, // Has pino set the level of each line.
    lastLevel: 0,
    write: (line: string) => {
      waiting += line
      const isUrgent = stream.lastLevel >= WARN || waiting.length >= BATCH_MAX
      if (isUrgent || batch === undefined) write()
      batch ??= setTimeout(endBatch, BATCH_MS).unref()
    },
  }
  return stream
}
