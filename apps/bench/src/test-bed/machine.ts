import { availableParallelism, cpus, totalmem } from 'node:os'
import { findRedisServer } from '@placeorder/local-services/redis'
import type { Plan } from '../options.ts'

/** The machine that the benchmarks were run on. */
export type Machine = {
  cpu: string
  cores: number
  memoryGiB: number
  node: string
  redis: string
  at: string
  rounds: number
  seconds: number
}

export async function machineOf({ rounds, seconds }: Plan): Promise<Machine> {
  const server = await findRedisServer()
  const program = server.kind === 'binary' ? server.command : server.image
  return {
    cpu: cpus()[0]?.model.trim() ?? 'an unknown CPU',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: [process.version.slice(1), ...process.execArgv].join(' '),
    redis: `${program} ${server.version}, appendfsync always`,
    at: new Date().toISOString(),
    rounds,
    seconds,
  }
}
