import { readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { findPostgresServer, startLocalPostgres } from '@placeorder/local-services/postgres'
import type { TestBed } from './test-bed.ts'

/** A PostgreSQL of this run. */
export type BenchPostgres = {
  url: string
  port: number
  /** Its processes as of now. */
  pids: () => number[]
  /** Kills all of them at once. */
  kill: () => Promise<void>
  /** Starts it again with what is on its disk, at the same port. */
  restart: () => Promise<void>
}

/** Starts a PostgreSQL as durable as production's, with memory for what is in use. */
export async function postgresFor(
  { dir }: TestBed,
  stack: AsyncDisposableStack,
): Promise<BenchPostgres> {
  const home = join(dir, 'postgres')
  const found = await findPostgresServer(home)
  const args = ['-c', 'shared_buffers=512MB', '-c', 'max_wal_size=4GB']
  const start = (port?: number) =>
    startLocalPostgres(found, { dir: home, args, ...(port === undefined ? {} : { port }) })
  let server = await start()
  stack.defer(async () => {
    await server.stop()
    await rm(home, { recursive: true, force: true })
  })
  const { url, port } = server
  const pids = () => withChildren(server.process.pid ?? -1)
  return {
    url,
    port,
    pids,
    kill: async () => {
      for (const pid of pids()) killIfThere(pid)
      await server.ended
    },
    restart: async () => {
      server = await start(port)
    },
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

/** A process and those that it has started. */
function withChildren(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    return [pid, ...children.split(' ').filter(Boolean).map(Number)]
  } catch {
    return [pid] // There is no /proc.
  }
}
