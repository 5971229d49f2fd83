import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Standalone, standaloneFile } from '@placeorder/config'
import { freePort } from '@placeorder/local-services/redis'
import { type RunningProcess, startProcess } from './start-process.ts'

/** `npm start` on its own data folder. */
export type StandaloneFolder = {
  dir: string
  start: (options?: { args?: string[]; env?: Record<string, string> }) => RunningProcess
  /** Starts it, and resolves when it is up, with the content of standalone.json. */
  startUp: (env?: Record<string, string>) => Promise<RunningProcess & { up: Standalone }>
  /** Reads standalone.json. */
  written: () => Promise<Standalone>
  /** Ends what was started here and removes the folder. */
  close: () => Promise<void>
}

/** Makes the folder; nothing runs yet. */
export async function standaloneFolder(): Promise<StandaloneFolder> {
  const dir = await mkdtemp(join(tmpdir(), 'placeorder-standalone-'))
  const all: RunningProcess[] = []
  const start: StandaloneFolder['start'] = ({ args = [], env = {} } = {}) => {
    const entry = 'apps/standalone/src/main.ts'
    const started = startProcess({ name: 'npm start', entry, args, env: { DATA_DIR: dir, ...env } })
    all.push(started)
    return started
  }
  const written = async () =>
    Standalone.parse(JSON.parse(await readFile(standaloneFile(dir), 'utf8')))
  return {
    dir,
    start,
    written,
    startUp: async (env = {}) => {
      const running = start({ env: { PORT: String(await freePort()), ...env } })
      await running.waitFor(/placeorder is up/)
      return { ...running, up: await written() }
    },
    close: async () => {
      for (const one of all) one.kill('SIGTERM')
      await Promise.all(all.map(({ exited }) => exited))
      await rm(dir, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 })
    },
  }
}
