import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'

/** A real Redis for tests. `own`: a server nobody else uses. */
export async function testRedis({
  own = false,
}: {
  own?: boolean
} = {}): Promise<{ url: string; close: () => Promise<void> }> {
  if (process.env.REDIS_URL !== undefined && !own)
    return { url: process.env.REDIS_URL, close: async () => {} }
  const dir = await mkdtemp(join(tmpdir(), 'placeorder-redis-'))
  const port = await freePort()
  const args = [
    '--port',
    String(port),
    '--appendonly',
    'yes',
    '--appendfsync',
    'always',
    '--save',
    '',
    '--dir',
    dir,
  ]
  const server = spawn('redis-server', args, { stdio: 'ignore' })
  const stop = () => server.kill('SIGKILL')
  process.once('exit', stop)
  const client = new Redis({ port, maxRetriesPerRequest: 20 })
  client.on('error', () => {})
  await client.ping()
  client.disconnect()
  return {
    url: `redis://127.0.0.1:${port}`,
    close: async () => {
      stop()
      process.off('exit', stop)
      await rm(dir, { recursive: true, force: true })
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}
