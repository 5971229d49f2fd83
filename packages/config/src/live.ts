import { type FSWatcher, watch } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ConfigFault, configFaults } from './environment.ts'

/** A value made from files, made again when one of them changes. */
export type Live<T> = {
  /** The value of the newest version without faults. */
  readonly current: T
  /** What is wrong with the newest version; undefined while it is in force. */
  readonly fault: string | undefined
  /** Reads the files now, e.g. on SIGHUP. */
  reload: () => Promise<void>
  close: () => void
}

/**
 * Reads a file that the value depends on: it is watched from then on.
 *
 * @throws ConfigFault when it cannot be read
 */
export type ReadFile = (path: string) => Promise<Buffer>

/** Files are compared this often (ms): not every file system reports changes. */
const POLL_MS = 1_000

/**
 * After the first notice of a change, the files are read this much later (ms): writers often write
 * in several steps.
 */
const SETTLE_MS = 50

/**
 * A file that changed less than this long ago (ms) may change again without a new time: file
 * systems keep times of some ms, or a second.
 */
const UNSURE_MS = 2_000

/**
 * By path: the content, or the code of the error when it could not be read; and the version that is
 * known to have this content.
 */
type Contents = Map<string, { content: Buffer | string; version?: string | undefined }>

/**
 * Makes a value from files and keeps it up to date. Every file that `make` reads is watched, even
 * if it does not exist yet. A new version that is faulty is reported to `onFault` once and changes
 * nothing.
 *
 * @throws whatever `make` throws at the start
 */
export async function live<T>(
  make: (read: ReadFile) => T | Promise<T>,
  onFault: (error: unknown) => void,
): Promise<Live<T>> {
  let lastRead: Contents = new Map()
  const watchers = new Watchers(() => onChange())
  const makeAgain = async (): Promise<T> => {
    const contents: Contents = new Map()
    lastRead = contents
    try {
      return await make(async (path) => {
        const content = await contentOf(path)
        contents.set(path, { content })
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
    current = await makeAgain()
  } catch (error) {
    watchers.watch([])
    throw error
  }
  let fault: string | undefined
  let reading = Promise.resolve()
  const check = (always: boolean) => {
    reading = reading
      .then(async () => {
        if (!always && !(await hasChanged(lastRead))) return
        current = await makeAgain()
        fault = undefined
      })
      .catch((error: unknown) => {
        fault = configFaults(error).join('; ')
        onFault(error)
      })
    return reading
  }
  let settling: NodeJS.Timeout | undefined
  const onChange = () => {
    clearTimeout(settling)
    settling = setTimeout(() => void check(false), SETTLE_MS).unref()
  }
  const polling = setInterval(() => void check(false), POLL_MS).unref()
  return {
    get current() {
      return current
    },
    get fault() {
      return fault
    },
    reload: () => check(true),
    close: () => {
      clearTimeout(settling)
      clearInterval(polling)
      watchers.watch([])
    },
  }
}

const contentOf = (path: string): Promise<Buffer | string> =>
  readFile(path).catch((cause: NodeJS.ErrnoException) => cause.code ?? cause.message)

/** Changes with the content of a file; undefined if that is not sure, or there is no such file. */
async function versionOf(path: string): Promise<string | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined)
  if (found === undefined || Date.now() - Number(found.ctimeMs) < UNSURE_MS) return undefined
  return [found.dev, found.ino, found.size, found.mtimeNs, found.ctimeNs].join()
}

/** Reads only files whose version is another, since reading all of them takes a while. */
async function hasChanged(lastRead: Contents): Promise<boolean> {
  for (const [path, before] of lastRead) {
    const version = await versionOf(path)
    if (version !== undefined && version === before.version) continue
    const now = await contentOf(path)
    const isSame =
      typeof now === 'string' || typeof before.content === 'string'
        ? now === before.content
        : now.equals(before.content)
    if (!isSame) return true
    before.version = version
  }
  return false
}

/** Watches directories: editors and Kubernetes replace a file or link by a new one. */
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
    } catch {} // Without a watcher here, the periodic comparison finds the change.
  }
}
