import { hostname } from 'node:os'
import { Cluster } from 'ioredis'
import { z } from 'zod'
import type { RedisConnection } from './connection.ts'

/** What a process that uses the store is called. */
export type ProcessName = 'ingress' | 'worker' | 'archiver' | 'notifier' | 'command' | 'reshard'

const PREFIX = 'placeorder:'

/** The name of this process's connections: Redis allows no spaces in it. */
export const clientNameOf = (name: ProcessName): string =>
  `${PREFIX}${name}:${process.pid}:${hostname().replace(/[^\w.-]/g, '')}`

/** The other processes that are connected to a Redis, such as `worker 17 on node-2`. */
export async function connectedProcesses(connection: RedisConnection): Promise<string[]> {
  const nodes = connection instanceof Cluster ? connection.nodes('master') : [connection]
  const texts = await Promise.all(nodes.map((node) => node.client('LIST')))
  const names = texts.flatMap((text) =>
    [
      ...z
        .string()
        .parse(text)
        .matchAll(/ name=(\S*)/g),
    ].map(([, name = '']) => name),
  )
  const others = new Set(names.filter((name) => name.startsWith(PREFIX)))
  others.delete(clientNameOf('reshard'))
  return [...others].sort().map((name) => {
    const [process, pid, host] = name.slice(PREFIX.length).split(':')
    return `${process} ${pid} on ${host}`
  })
}
