import { chmodSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Makes the data folder if it is missing, and closes it and its files to other users: it has keys
 * and orders.
 */
export function prepareData(dir: string): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  chmodSync(dir, 0o700)
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() && !entry.isDirectory()) continue
    try {
      chmodSync(join(entry.parentPath, entry.name), entry.isFile() ? 0o600 : 0o700)
    } catch {
      // Files of a Redis in Docker have another owner; the folder around them is closed.
    }
  }
}
