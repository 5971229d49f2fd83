import { opener, type StoreOptions } from './open-store.ts'
import { Acquirers } from './orders/acquirers.ts'
import { ArchiveStates } from './outbox/archive-state.ts'
import { ConcludedRecords } from './outbox/concluded-records.ts'
import { Outbox } from './outbox/outbox.ts'
import { RedisAge } from './outbox/redis-age.ts'
import { SinkStates } from './outbox/sink-states.ts'
import { SinkStreams } from './outbox/sink-streams.ts'
import { SinkJobs } from './queue/sink-jobs.ts'
import { disconnect } from './redis/connection.ts'
import { Durability } from './redis/durability.ts'

/** What a notifier uses of the store. */
export type NotifierStore = {
  outbox: Outbox
  states: ArchiveStates
  streams: SinkStreams
  sinkStates: SinkStates
  records: ConcludedRecords
  durability: Durability
  redisAge: RedisAge
  acquirers: Acquirers
  /** Opens the jobs of a sink in a shard; whoever does closes them. */
  jobsOf: (shard: number, sink: string) => SinkJobs
  close: () => Promise<void>
}

/** Opens a notifier's store. Its commands wait until Redis is back; on a Cluster, some seconds. */
export async function openNotifierStore(
  options: StoreOptions & { replicasMin?: number },
): Promise<NotifierStore> {
  const { shards, replicasMin = 0 } = options
  const { open, ready } = opener(options, 'notifier')
  const connection = open('patient')
  const fences = replicasMin > 0 ? open('fail-fast') : undefined
  await ready(connection)
  return {
    outbox: new Outbox(connection),
    states: new ArchiveStates(connection, shards),
    streams: new SinkStreams(connection),
    sinkStates: new SinkStates(connection),
    records: new ConcludedRecords(connection),
    durability: new Durability(connection, { shards, replicasMin, fences }),
    redisAge: new RedisAge(connection, shards),
    acquirers: new Acquirers(connection, shards),
    jobsOf: (shard, sink) => new SinkJobs(connection, shard, sink),
    close: async () =>
      void (await Promise.all([connection, ...(fences ? [fences] : [])].map(disconnect))),
  }
}
