import { chmodSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** Makes the folder if it is not there, and it and all in it their owner's alone: keys and orders are in it. */
export function prepareData(dir: string): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  chmodSync(dir, 0o700)
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() && !entry.isDirectory()) continue
    try {
      chmodSync(join(entry.parentPath, entry.name), entry.isFile() ? 0o600 : 0o700)
    } catch {
      // A Redis in Docker has files of another owner; the folder around them is closed.
    }
  }
}
