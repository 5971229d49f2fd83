import { execFile } from 'node:child_process'
import { chmod, open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A process's wall clock that can be stepped while it runs. Its monotonic clock is unchanged. */
export type FakeClock = {
  /** Set in the environment of the process. */
  env: Readonly<Record<string, string>>
  /** Sets the clock so many seconds ahead of the machine's, or behind it; 0 sets it right. */
  step: (seconds: number) => Promise<void>
}

/** Makes a clock with its files in `dir`; undefined where there is no C compiler. */
export async function openFakeClock(dir: string, name: string): Promise<FakeClock | undefined> {
  const library = join(dir, `${name}.clock.so`)
  const source = join(import.meta.dirname, 'fake-clock.c')
  const compiled = await run('cc', ['-O2', '-shared', '-fPIC', '-o', library, source]).then(
    () => true,
    () => false,
  )
  if (!compiled) return undefined
  const path = join(dir, `${name}.clock`)
  await writeFile(path, new Uint8Array(8))
  const step = async (seconds: number) => {
    const file = await open(path, 'r+') // In place: the process has mapped this file.
    await file.write(new BigInt64Array([BigInt(seconds)]), 0, 8, 0)
    await file.close()
  }
  return { env: { LD_PRELOAD: library, FAKE_CLOCK_FILE: path }, step }
}

/**
 * Writes a program into `dir` that runs `command` with this environment; resolves with its path.
 */
export async function withEnvironment(
  dir: string,
  command: string,
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const path = join(dir, `run-${command}`)
  const sets = Object.entries(env).map(([name, value]) => `${name}='${value}'`)
  await writeFile(path, `#!/bin/sh\nexec env ${sets.join(' ')} ${command} "$@"\n`)
  await chmod(path, 0o700)
  return path
}
