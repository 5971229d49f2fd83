import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findRedisServer, startLocalRedis } from '@placeorder/local-services/redis'
import { connect, disconnect } from '@placeorder/store'
import { FaultProxy } from '@placeorder/testkit'
import { afterAll, vi } from 'vitest'
import { type EventSystem, openEventSystem, openReceiver, secret } from './system.ts'

export const within = { timeout: 60_000, interval: 50 }

/** A Redis with a replica. */
export type ReplicatedSystem = EventSystem & {
  /** Between the replica and its master. */
  link: FaultProxy
  /** Kills the master, whose tail the replica may lack, and has everybody led to the replica. */
  failOver: () => Promise<void>
  /** Gives the new master a replica. */
  addReplica: () => Promise<void>
}

/** `replicasMin`: how many replicas must have what is delivered. */
export async function openReplicatedSystem({ replicasMin = 1 } = {}): Promise<ReplicatedSystem> {
  const dir = await mkdtemp(join(tmpdir(), 'placeorder-notifier-replicas-'))
  const binary = await findRedisServer()
  const start = (name: string, ...args: string[]) =>
    startLocalRedis(binary, {
      dir: join(dir, name),
      args: ['--repl-diskless-sync-delay', '0', ...args],
    })
  const replicaOf = (port: number) => ['--replicaof', '127.0.0.1', String(port)]
  const master = await start('master')
  const link = await FaultProxy.open({ port: master.port })
  const replica = await start('replica', ...replicaOf(link.port))
  const servers = [master, replica]
  /** Leads everybody to the server that is master. */
  const clients = await FaultProxy.open({ port: master.port })
  afterAll(async () => {
    await Promise.all([clients.close(), link.close(), ...servers.map((server) => server.stop())])
    await rm(dir, { recursive: true })
  })
  const url = `redis://127.0.0.1:${clients.port}`
  return {
    ...(await openEventSystem({ url, replicasMin })),
    link,
    failOver: async () => {
      master.process.kill('SIGKILL')
      await master.ended
      const address = { urls: [replica.url], cluster: false, sentinels: [], sentinelName: '' }
      const promoted = connect(address, 'patient')
      await promoted.replicaof('NO', 'ONE')
      await disconnect(promoted)
      clients.leadTo({ port: replica.port })
    },
    addReplica: async () => void servers.push(await start('second', ...replicaOf(replica.port))),
  }
}

/** A webhook with a receiver and a name of its own. */
export async function openSink() {
  const receiver = await openReceiver()
  const name = `sink-${Math.random().toString(36).slice(2)}`
  return { receiver, sink: { name, type: 'webhook', url: receiver.url, secrets: [secret] } }
}

/** Resolves once a notifier has looked for replicas, and not found enough. */
export const untilHeldBack = (noted: string[]) =>
  vi.waitFor(() => {
    if (!noted.join().includes('too few replicas')) throw new Error(noted.join())
  }, within)
