import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { findPostgresServer, startLocalPostgres } from '@placeorder/local-services/postgres'
import type { TestBed } from './test-bed.ts'

/**
 * Starts a PostgreSQL of this run, as durable as production's, with memory for what is in use.
 */
export async function postgresFor(
  { dir }: TestBed,
  stack: AsyncDisposableStack,
): Promise<{ url: string; pid: number }> {
  const home = join(dir, 'postgres')
  const args = ['-c', 'shared_buffers=512MB', '-c', 'max_wal_size=4GB']
  const server = await startLocalPostgres(await findPostgresServer(home), { dir: home, args })
  stack.defer(async () => {
    await server.stop()
    await rm(home, { recursive: true, force: true })
  })
  return { url: server.url, pid: server.process.pid ?? -1 }
}
