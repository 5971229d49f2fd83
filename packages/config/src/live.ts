import { type FSWatcher, watch } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ConfigFault } from './environment.ts'

/** What files say, read again when one of them changes. */
export type Live<T> = {
  /** What the newest good version says. */
  readonly current: T
  /** Reads it now, e.g. on SIGHUP. */
  reload: () => Promise<void>
  close: () => void
}

/**
 * Reads a file for a configuration, which is made anew when that file changes.
 *
 * @throws ConfigFault when it cannot be read
 */
export type ReadFile = (path: string) => Promise<Buffer>

/** Files are looked at this often (ms), since not every file system tells of changes. */
const LOOK_MS = 1_000

/** Writers write in several steps; after the first sign of a change this is waited for more (ms). */
const SETTLE_MS = 50

/** What is in files, or the code of the error that kept one from being read. */
type Contents = Map<string, Buffer | string>

/**
 * Makes something of files and keeps it up to date: whatever `make` has read is watched, also what is not there yet. A
 * new version that is broken changes nothing and is reported to `onFault`, once.
 *
 * @throws whatever `make` throws at the start
 */
export async function live<T>(
  make: (read: ReadFile) => T | Promise<T>,
  onFault: (error: unknown) => void,
): Promise<Live<T>> {
  let seen: Contents = new Map()
  const watchers = new Watchers(() => onChange())
  const made = async (): Promise<T> => {
    const contents: Contents = new Map()
    seen = contents
    try {
      return await make(async (path) => {
        const content = await contentOf(path)
        contents.set(path, content)
        if (typeof content !== 'string') return content
        throw new ConfigFault([
          `${path}: cannot be read (${content}): create it, or name another file`,
        ])
      })
    } finally {
      watchers.watch(contents.keys())
    }
  }
  let current: T
  try {
    current = await made()
  } catch (error) {
    watchers.watch([])
    throw error
  }
  let reading = Promise.resolve()
  const look = (always: boolean) => {
    reading = reading
      .then(async () => {
        if (always || (await hasChanged(seen))) current = await made()
      })
      .catch(onFault)
    return reading
  }
  let settling: NodeJS.Timeout | undefined
  const onChange = () => {
    clearTimeout(settling)
    settling = setTimeout(() => void look(false), SETTLE_MS).unref()
  }
  const looking = setInterval(() => void look(false), LOOK_MS).unref()
  return {
    get current() {
      return current
    },
    reload: () => look(true),
    close: () => {
      clearTimeout(settling)
      clearInterval(looking)
      watchers.watch([])
    },
  }
}

const contentOf = (path: string): Promise<Buffer | string> =>
  readFile(path).catch((cause: NodeJS.ErrnoException) => cause.code ?? cause.message)

async function hasChanged(seen: Contents): Promise<boolean> {
  for (const [path, before] of seen) {
    const now = await contentOf(path)
    const isSame =
      typeof now === 'string' || typeof before === 'string' ? now === before : now.equals(before)
    if (!isSame) return true
  }
  return false
}

/** Watches directories, since editors and Kubernetes put a new file or link in the old one's place. */
class Watchers {
  readonly #onChange: () => void
  readonly #of = new Map<string, FSWatcher>()

  constructor(onChange: () => void) {
    this.#onChange = onChange
  }

  /** Watches the directories of these files, and no others. */
  watch(paths: Iterable<string>): void {
    const directories = new Set(Iterator.from(paths).map(dirname))
    for (const [directory, watcher] of this.#of) {
      if (directories.has(directory)) continue
      watcher.close()
      this.#of.delete(directory)
    }
    for (const directory of directories) if (!this.#of.has(directory)) this.#open(directory)
  }

  #open(directory: string): void {
    try {
      const watcher = watch(directory, { persistent: false }, this.#onChange)
      watcher.on('error', () => {})
      this.#of.set(directory, watcher)
    } catch {} // No watching here: looking now and then finds it too.
  }
}
