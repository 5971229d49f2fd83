import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { UsageError } from './command.ts'

/**
 * Writes a file that an option names, and creates its folders.
 *
 * @throws UsageError when it cannot be written
 */
export async function writeOptionFile(option: string, path: string, text: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text)
  } catch (cause) {
    throw new UsageError(`--${option} ${path}: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    })
  }
}
