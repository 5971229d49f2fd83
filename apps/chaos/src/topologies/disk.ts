import { execFile } from 'node:child_process'
import { mkdir, statfs } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A disk of its own for the append-only file, in memory, of this size in MiB: some minutes of orders and a rewrite. */
const SIZE_MIB = 768

/** The data must not grow between looking at it and cutting off the rest: it is tried until that is so. */
const FILL_ATTEMPTS_MAX = 100

/** A directory whose disk can be made full; `close` takes the disk away. */
export type Disk = {
  fill: () => Promise<void>
  empty: () => Promise<void>
  close: () => Promise<void>
}

/** Puts a disk of its own at `dir`; undefined where that is not allowed: it takes root and the right to mount. */
export async function mountDisk(dir: string): Promise<Disk | undefined> {
  await mkdir(dir, { recursive: true })
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${SIZE_MIB}m`, 'tmpfs', dir])
  } catch {
    return undefined
  }
  const resize = (size: string) => run('mount', ['-o', `remount,size=${size}`, dir])
  return {
    // A disk that ends where its data ends is full, and nothing has to be written for it. Data goes on growing meanwhile.
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
