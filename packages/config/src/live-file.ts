import { type FSWatcher, watch } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ConfigFault } from './environment.ts'

/** A file that is read again when it changes. */
export type LiveFile<T> = {
  /** What the newest good version says. */
  readonly current: T
  /** Reads it now, e.g. on SIGHUP. */
  reload: () => Promise<void>
  close: () => void
}

/** A file is looked at this often (ms), since not every file system tells of changes. */
const LOOK_MS = 1_000

/** Writers write in several steps; after the first sign of a change this is waited for more (ms). */
const SETTLE_MS = 50

/**
 * Reads a file and keeps what it says up to date. A new version that is broken changes nothing and is told to
 * `onFault`.
 *
 * @throws ConfigFault when the file cannot be read at the start, and whatever `parse` throws
 */
export async function liveFile<T>(
  path: string,
  parse: (text: string, path: string) => T | Promise<T>,
  onFault: (error: unknown) => void,
): Promise<LiveFile<T>> {
  let text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new ConfigFault([
      `${path}: cannot be read (${cause.code}): create it, or name another file`,
    ])
  })
  let current = await parse(text, path)
  let reading = Promise.resolve()
  const look = async (always: boolean) => {
    const newest = await readFile(path, 'utf8')
    if (newest === text && !always) return
    text = newest
    current = await parse(newest, path)
  }
  const reload = (always: boolean) => {
    reading = reading.then(() => look(always)).catch(onFault)
    return reading
  }
  let settling: NodeJS.Timeout | undefined
  const onChange = () => {
    clearTimeout(settling)
    settling = setTimeout(() => void reload(false), SETTLE_MS).unref()
  }
  const watcher = watchDirectory(dirname(path), onChange)
  const looking = setInterval(() => void reload(false), LOOK_MS).unref()
  return {
    get current() {
      return current
    },
    reload: () => reload(true),
    close: () => {
      clearTimeout(settling)
      clearInterval(looking)
      watcher?.close()
    },
  }
}

/** Watches the directory, since editors and Kubernetes put a new file in the old one's place. */
function watchDirectory(directory: string, onChange: () => void): FSWatcher | undefined {
  try {
    return watch(directory, { persistent: false }, onChange).on('error', () => {})
  } catch {
    return undefined // No watching here: looking now and then finds it too.
  }
}
