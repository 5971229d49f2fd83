import { type Live, live, type ReadFile } from './live.ts'
import { decodeText } from './parse-json.ts'

/** The parsed content of a file, read again when that file or one it names changes. */
export type LiveFile<T> = Live<T>

/**
 * Parses a text file, and parses it again when it changes. `parse` reads the files that it names
 * with `read`, so that they are watched too. A new version that is faulty is reported to `onFault`
 * and changes nothing.
 *
 * @throws ConfigFault when the file cannot be read at the start, and whatever `parse` throws
 */
export const liveFile = <T>(
  path: string,
  parse: (text: string, path: string, read: ReadFile) => T | Promise<T>,
  onFault: (error: unknown) => void,
): Promise<LiveFile<T>> =>
  live(async (read) => parse(decodeText(await read(path), path), path, read), onFault)
