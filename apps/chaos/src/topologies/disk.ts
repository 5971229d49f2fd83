import { execFile } from 'node:child_process'
import { mkdir, statfs } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/**
 * The size of the in-memory disk for the append-only file: some minutes of orders and a rewrite.
 */
const SIZE_MIB = 768

/** Attempts to shrink the disk to its data: the data may grow between measuring and shrinking. */
const FILL_ATTEMPTS_MAX = 100

/** A directory whose disk can be filled; `close` unmounts it. */
export type Disk = {
  fill: () => Promise<void>
  empty: () => Promise<void>
  close: () => Promise<void>
}

/**
 * Mounts a disk at `dir`; undefined where that is not allowed: it needs root and the right to
 * mount.
 */
export async function mountDisk(dir: string): Promise<Disk | undefined> {
  await mkdir(dir, { recursive: true })
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${SIZE_MIB}m`, 'tmpfs', dir])
  } catch {
    return undefined
  }
  const resize = (size: string) => run('mount', ['-o', `remount,size=${size}`, dir])
  return {
    // A disk that is shrunk to its data is full, without writing anything.
    fill: async () => {
      for (let attempt = 1; ; attempt += 1) {
        const { blocks, bfree, bsize } = await statfs(dir)
        try {
          await resize(String((blocks - bfree) * bsize))
          return
        } catch (error) {
          if (attempt === FILL_ATTEMPTS_MAX) throw error
        }
      }
    },
    empty: async () => void (await resize(`${SIZE_MIB}m`)),
    close: async () => void (await run('umount', ['-l', dir])),
  }
}
