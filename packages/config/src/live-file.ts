import { textOf } from './contents.ts'
import { type Live, live, type ReadFile } from './live.ts'

/** A file that is read again when it changes, or one that it names. */
export type LiveFile<T> = Live<T>

/**
 * Reads a text file and keeps what it says up to date; `parse` reads what the file names with
 * `read`. A new version that is broken changes nothing and is reported to `onFault`.
 *
 * @throws ConfigFault when the file cannot be read at the start, and whatever `parse` throws
 */
export const liveFile = <T>(
  path: string,
  parse: (text: string, path: string, read: ReadFile) => T | Promise<T>,
  onFault: (error: unknown) => void,
): Promise<LiveFile<T>> =>
  live(async (read) => parse(textOf(await read(path), path), path, read), onFault)
