import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { findRedisServer, startLocalRedis } from '@placeorder/local-services/redis'
import { connect, disconnect, type RedisAddress } from '@placeorder/store'

/** A Redis server of this run: empty at first, and as durable as production's. */
export type BenchRedis = {
  url: string
  port: number
  address: RedisAddress
  pid: number
  counters: () => Promise<RedisCounters>
  close: () => Promise<void>
}

/** A server's counters so far. Commands that scripts call count as commands. */
export type RedisCounters = {
  commands: Map<string, number>
  outputBytes: number
  usedMemoryBytes: number
  /** Write calls to sockets. */
  socketWrites: number
}

/**
 * Starts a server that syncs each write to disk before it replies. Its directory is removed when it
 * is closed.
 */
export async function startRedis(dir: string, name: string): Promise<BenchRedis> {
  const home = join(dir, `redis-${name}`)
  await rm(home, { recursive: true, force: true })
  const server = await startLocalRedis(await findRedisServer(), { dir: home })
  const address = { urls: [server.url], cluster: false, sentinels: [], sentinelName: '' }
  const connection = connect(address, 'patient')
  connection.on('error', () => {}) // The command that fails says so.
  return {
    url: server.url,
    port: server.port,
    address,
    pid: server.process.pid ?? -1,
    counters: async () =>
      countersOf(await connection.info(), await connection.info('commandstats')),
    close: async () => {
      await disconnect(connection)
      await server.stop()
      await rm(home, { recursive: true, force: true })
    },
  }
}

export function countersOf(info: string, commandStats: string): RedisCounters {
  const number = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0)
  const calls = [...commandStats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)]
  return {
    // INFO is our own command, not the system's.
    commands: new Map(
      calls.flatMap(([, name = '', count]) => (name === 'info' ? [] : [[name, Number(count)]])),
    ),
    outputBytes: number('total_net_output_bytes'),
    usedMemoryBytes: number('used_memory'),
    socketWrites: number('total_writes_processed'),
  }
}

/** The difference of two readings, per order. */
export function perOrder(before: RedisCounters, after: RedisCounters, orders: number) {
  const each = [...after.commands].map(
    ([name, count]) => [name, (count - (before.commands.get(name) ?? 0)) / orders] as const,
  )
  return {
    commands: each.reduce((sum, [, count]) => sum + count, 0),
    outputBytes: (after.outputBytes - before.outputBytes) / orders,
    byCommand: each.filter(([, count]) => count >= 0.005).toSorted(([, a], [, b]) => b - a),
  }
}
