import { availableParallelism } from 'node:os'
import { setTimeout as wait } from 'node:timers/promises'
import { z } from 'zod'
import { type Mark, Mark as MarkSchema } from '../drivers/load.ts'
import type { CommandedProgram, Program } from './program.ts'
import { type BenchRedis, perOrder, type RedisCounters } from './redis.ts'
import { type ProcessUsage, usageOf } from './usage-of.ts'

/** A system that orders are sent to: its driver, its Redis and its processes. */
export type Subject = {
  name: string
  driver: CommandedProgram
  redis?: Pick<BenchRedis, 'counters'>
  programs: readonly Pick<Program, 'name' | 'pid'>[]
  /** The driver's arguments of `start`. */
  load: Record<string, unknown>
  /** The first order that was not sent yet: each order is sent once. */
  next: number
}

/** What was measured in one interval. */
export type Sample = Mark & {
  perSecond: number
  /** Redis commands per order, including those that scripts call. */
  commands: number
  outputBytes: number
  /** How often Redis synced its append-only file, per order; NaN where the kernel does not say. */
  syncs: number
  byCommand: (readonly [name: string, count: number])[]
  /** CPU time per order (µs), by process. */
  cpuUs: Record<string, number>
  residentBytes: Record<string, number>
}

/** The share of this machine's cores that the system and its driver used. */
export const coreShareOf = ({ cpuUs, perSecond }: Sample): number =>
  (sum(Object.values(cpuUs)) * perSecond) / 1e6 / availableParallelism()

const sum = (values: readonly number[]): number => values.reduce((all, one) => all + one, 0)

const anything = z.unknown()
const wholeNumber = z.number()

export type Interval = { leadSeconds: number; seconds: number }

/** Load goes on this long, at most, after the measured interval (s). */
const STOPPING_S = 1

/**
 * Puts load on a subject, measures it for an interval and takes the load off.
 *
 * @throws if an answer was not SUCCESS or did not come
 */
export async function measure(
  subject: Subject,
  { leadSeconds, seconds }: Interval,
): Promise<Sample> {
  const { driver, load } = subject
  await driver.command(
    'start',
    { ...load, from: subject.next, seconds: leadSeconds + seconds + STOPPING_S },
    anything,
  )
  await wait(1_000 * leadSeconds)
  const before = await readCounters(subject)
  await driver.command('mark', undefined, anything)
  await wait(1_000 * seconds)
  const mark = await driver.command('mark', undefined, MarkSchema)
  const after = await readCounters(subject)
  subject.next = await driver.command('stop', undefined, wholeNumber)
  if (mark.failed > 0 || mark.answered === 0)
    throw new Error(
      `${subject.name}: ${mark.failed} of ${mark.answered} answers were wrong: ${mark.why}`,
    )
  return sampleOf(mark, before, after)
}

type Counters = {
  redis: RedisCounters | undefined
  usage: Map<string, ProcessUsage>
}

async function readCounters({ redis, programs, driver }: Subject): Promise<Counters> {
  const all = [...programs, { name: 'driver', pid: driver.pid }]
  const usages = await Promise.all(all.map(({ pid }) => usageOf(pid)))
  const usage = new Map<string, ProcessUsage>()
  for (const [i, { name }] of all.entries()) {
    const before = usage.get(name) ?? { cpuMs: 0, residentBytes: 0, writeCalls: 0 }
    usage.set(name, {
      cpuMs: before.cpuMs + (usages[i]?.cpuMs ?? Number.NaN),
      residentBytes: before.residentBytes + (usages[i]?.residentBytes ?? Number.NaN),
      writeCalls: before.writeCalls + (usages[i]?.writeCalls ?? Number.NaN),
    })
  }
  return { redis: await redis?.counters(), usage }
}

function sampleOf(mark: Mark, before: Counters, after: Counters): Sample {
  const redis =
    before.redis === undefined || after.redis === undefined
      ? { commands: 0, outputBytes: 0, byCommand: [] }
      : perOrder(before.redis, after.redis, mark.answered)
  const cpuUs: Record<string, number> = {}
  const residentBytes: Record<string, number> = {}
  for (const [name, { cpuMs, residentBytes: bytes }] of after.usage) {
    cpuUs[name] = (1_000 * (cpuMs - (before.usage.get(name)?.cpuMs ?? 0))) / mark.answered
    residentBytes[name] = bytes
  }
  const syncs = syncsBetween(before, after) / mark.answered
  const perSecond = mark.answered / mark.seconds
  return { ...mark, ...redis, syncs, perSecond, cpuUs, residentBytes }
}

/**
 * Redis does not count its syncs. With `appendfsync always` it syncs after each write to the
 * append-only file, and writes to nothing else but sockets.
 */
const syncsBetween = (before: Counters, after: Counters): number =>
  fileWrites(after) - fileWrites(before)

const fileWrites = ({ redis, usage }: Counters): number =>
  (usage.get('redis')?.writeCalls ?? Number.NaN) - (redis?.socketWrites ?? Number.NaN)
