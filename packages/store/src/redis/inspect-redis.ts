import type { Redis } from 'ioredis'
import { z } from 'zod'
import { roleOf } from './heartbeat.ts'

/** What was found on all masters of a Redis, each finding once. */
export type RedisReport = {
  /** Why it is not durable. */
  faults: string[]
  /** What of its durability cannot be checked at all. */
  unseen: string[]
  /** What was assumed, since its configuration is hidden. */
  assumed: string[]
  /** Why it can accept no new orders now, durable or not. */
  unable: string[]
  /** What will cause trouble, though nothing is wrong yet. */
  warnings: string[]
  /**
   * The used part of `maxmemory`, of the master with the least left; undefined without a maxmemory.
   */
  memoryUsed: number | undefined
}

export type InspectOptions = {
  /** How many replicas must have an outcome before it is answered. */
  replicasMin: number
  /**
   * The percentage of free memory below which new orders are refused: open ones need it to be
   * concluded.
   */
  memoryReservePercent: number
}

/** Inspects masters. Rejects when one does not answer. */
export async function inspectRedis(
  masters: Redis[],
  options: InspectOptions,
): Promise<RedisReport> {
  const reports = await Promise.all(masters.map((master) => inspect(master, options)))
  const all = (name: 'faults' | 'unseen' | 'assumed' | 'unable' | 'warnings') => [
    ...new Set(reports.flatMap((report) => report[name])),
  ]
  const used = reports.flatMap(({ memoryUsed }) => memoryUsed ?? [])
  return {
    faults: all('faults'),
    unseen: all('unseen'),
    assumed: all('assumed'),
    unable: all('unable'),
    warnings: all('warnings'),
    memoryUsed: used.length > 0 ? Math.max(...used) : undefined,
  }
}

async function inspect(
  master: Redis,
  { replicasMin, memoryReservePercent }: InspectOptions,
): Promise<RedisReport> {
  const [role, info, policy, appendfsync] = await Promise.all([
    roleOf(master),
    unlessForbidden(master.info()),
    setting(master, 'maxmemory-policy'),
    setting(master, 'appendfsync'),
  ])
  const unable =
    role === 'replica' ? ['it is a replica, not the master: the new master is looked for'] : []
  if (info === undefined) {
    const unseen = ['its durability cannot be seen: allow +info to our user']
    return { faults: [], unseen, assumed: [], unable, warnings: [], memoryUsed: undefined }
  }
  const memoryUsed = memoryUsedIn(info)
  const full = fullness(memoryUsed ?? 0, memoryReservePercent)
  return {
    ...durabilityIn(info, policy ?? wordIn(info, 'maxmemory_policy'), appendfsync),
    unseen: [],
    unable: full === undefined ? unable : [...unable, full],
    warnings: replicasIn(info, replicasMin),
    memoryUsed,
  }
}

function durabilityIn(info: string, policy: string | undefined, appendfsync: string | undefined) {
  const faults: string[] = []
  const assumed: string[] = []
  if (wordIn(info, 'aof_enabled') === '0')
    faults.push('the append-only file is off: set appendonly yes')
  if (policy === undefined) assumed.push('maxmemory-policy is noeviction')
  else if (policy !== 'noeviction')
    faults.push(`keys may be evicted: set maxmemory-policy noeviction, not ${policy}`)
  if (appendfsync === undefined) assumed.push('appendfsync is always')
  else if (appendfsync !== 'always')
    faults.push(`the append-only file is synced late: set appendfsync always, not ${appendfsync}`)
  if (wordIn(info, 'aof_last_write_status') === 'err')
    faults.push('the append-only file cannot be written: look at the disk')
  return { faults, assumed }
}

/**
 * The used part of maxmemory, as Redis counts it: without its buffers for replicas and the
 * append-only file.
 */
function memoryUsedIn(info: string): number | undefined {
  const bytes = (name: string) => Number(wordIn(info, name) ?? 0)
  const max = bytes('maxmemory')
  if (max === 0) return undefined
  return Math.max(0, bytes('used_memory') - bytes('mem_not_counted_for_evict')) / max
}

const fullness = (used: number, reservePercent: number): string | undefined =>
  100 * (1 - used) < reservePercent
    ? `its memory is full: ${reservePercent > 0 ? `less than ${reservePercent} %` : 'nothing'} ` +
      'of maxmemory is left, which open orders may need: raise maxmemory'
    : undefined

/** A failover may make a replica master that does not have all answered outcomes. */
function replicasIn(info: string, replicasMin: number): string[] {
  const attached = Number(wordIn(info, 'connected_slaves') ?? 0)
  if (attached === replicasMin) return []
  const are = `${attached} ${attached === 1 ? 'replica is' : 'replicas are'} attached`
  if (attached < replicasMin)
    return [`${are}, REPLICAS_MIN is ${replicasMin}: no answer can be final`]
  return [
    `${are}, REPLICAS_MIN is ${replicasMin}: a failover may lose orders, ` +
      `and answers that were given: set REPLICAS_MIN=${attached}`,
  ]
}

const wordIn = (info: string, name: string): string | undefined =>
  new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1]

/** One setting; undefined where a managed Redis does not show its configuration. */
async function setting(master: Redis, name: string): Promise<string | undefined> {
  const reply = await unlessForbidden(master.config('GET', name))
  return z.array(z.string()).parse(reply ?? [])[1]
}

/** The reply of a command; undefined if it does not exist or is forbidden. */
const unlessForbidden = <T>(answer: Promise<T>): Promise<T | undefined> =>
  answer.catch((error: unknown) => {
    if (error instanceof Error && /unknown|NOPERM|not allowed|disabled/i.test(error.message))
      return undefined
    throw error
  })
