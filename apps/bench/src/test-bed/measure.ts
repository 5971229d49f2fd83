import { setTimeout as wait } from 'node:timers/promises'
import { z } from 'zod'
import { type Mark, Mark as MarkSchema } from '../drivers/load.ts'
import type { Asked, Program } from './program.ts'
import { type BenchRedis, perOrder, type RedisCounters } from './redis.ts'
import { usageOf } from './usage-of.ts'

/** Something that orders are sent to: who sends, which Redis it has, which processes are its own. */
export type Subject = {
  name: string
  driver: Asked
  redis?: Pick<BenchRedis, 'counters'>
  programs: readonly Pick<Program, 'name' | 'pid'>[]
  /** What the driver is told at its start. */
  load: Record<string, unknown>
  /** The first order not sent to it yet: each order is sent once. */
  next: number
}

/** What was seen while a clock ran. */
export type Sample = Mark & {
  perSecond: number
  /** Of Redis, an order; with those that scripts call. */
  commands: number
  outputBytes: number
  byCommand: (readonly [name: string, count: number])[]
  /** CPU time an order (µs), by process. */
  cpuUs: Record<string, number>
  residentBytes: Record<string, number>
}

const anything = z.unknown()
const wholeNumber = z.number()

export type Clock = { leadSeconds: number; seconds: number }

/** Load goes on this long, at most, after the clock has stopped (s). */
const STOPPING_S = 1

/**
 * Puts load on, lets the clock run, takes the load off.
 *
 * @throws when an answer was not SUCCESS, or did not come
 */
export async function measure(subject: Subject, { leadSeconds, seconds }: Clock): Promise<Sample> {
  const { driver, load } = subject
  await driver.ask(
    'start',
    { ...load, from: subject.next, seconds: leadSeconds + seconds + STOPPING_S },
    anything,
  )
  await wait(1_000 * leadSeconds)
  const before = await look(subject)
  await driver.ask('mark', undefined, anything)
  await wait(1_000 * seconds)
  const mark = await driver.ask('mark', undefined, MarkSchema)
  const after = await look(subject)
  subject.next = await driver.ask('stop', undefined, wholeNumber)
  if (mark.failed > 0 || mark.answered === 0)
    throw new Error(
      `${subject.name}: ${mark.failed} of ${mark.answered} answers were wrong: ${mark.why}`,
    )
  return sampleOf(mark, before, after)
}

type Look = {
  redis: RedisCounters | undefined
  usage: Map<string, { cpuMs: number; residentBytes: number }>
}

async function look({ redis, programs, driver }: Subject): Promise<Look> {
  const all = [...programs, { name: 'driver', pid: driver.pid }]
  const usages = await Promise.all(all.map(({ pid }) => usageOf(pid)))
  const usage = new Map<string, { cpuMs: number; residentBytes: number }>()
  for (const [i, { name }] of all.entries()) {
    const before = usage.get(name) ?? { cpuMs: 0, residentBytes: 0 }
    usage.set(name, {
      cpuMs: before.cpuMs + (usages[i]?.cpuMs ?? Number.NaN),
      residentBytes: before.residentBytes + (usages[i]?.residentBytes ?? Number.NaN),
    })
  }
  return { redis: await redis?.counters(), usage }
}

function sampleOf(mark: Mark, before: Look, after: Look): Sample {
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
  return { ...mark, ...redis, perSecond: mark.answered / mark.seconds, cpuUs, residentBytes }
}
