import { parseArgs } from 'node:util'
import { type TopologyName, topologyNames } from './topologies/topology.ts'

export const usage = `npm run chaos -- [--seed S] [--minutes M] [--rate R] [--topology T]

Runs ingresses and workers on a durable Redis, and archivers that move orders to a PostgreSQL within
seconds, injects faults into all of them while orders are sent, and checks that every promise was
kept.

  --seed S      the same seed injects the same faults at the same times (default: random)
  --minutes M   how long faults are injected (default: 1)
  --rate R      new orders per second (default: 40)
  --topology T  single, sentinel (a failover may lose what no replica has), cluster,
                or mixed: each of them in turn for a third of the time
                (default: chosen by the seed)
`

export type Arguments = {
  seed: number
  minutes: number
  rate: number
  /** They are run one after the other. */
  topologies: readonly TopologyName[]
}

/** Reads the command line. Throws with what is wrong if it is not valid. */
export function readArguments(args: string[]): Arguments | 'help' {
  const { values } = parseArgs({
    args,
    options: {
      seed: { type: 'string' },
      minutes: { type: 'string', default: '1' },
      rate: { type: 'string', default: '40' },
      topology: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return 'help'
  const seed = values.seed ?? String(Math.floor(Math.random() * 1_000_000))
  const wholeSeed = Math.floor(numberOption('seed', seed, 0, 2 ** 32 - 1))
  return {
    seed: wholeSeed,
    minutes: numberOption('minutes', values.minutes, 0.1, 24 * 60),
    rate: numberOption('rate', values.rate, 1, 1_000),
    topologies: topologiesOf(values.topology, wholeSeed),
  }
}

/**
 * Reads a number of the command line.
 *
 * @throws if it is not a number from `min` to `max`
 */
export function numberOption(name: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= min && value <= max))
    throw new Error(`--${name} must be a number from ${min} to ${max}`)
  return value
}

function topologiesOf(name: string | undefined, seed: number): readonly TopologyName[] {
  if (name === 'mixed') return topologyNames
  const some = topologyNames.filter(
    (one) => one === (name ?? topologyNames[seed % topologyNames.length]),
  )
  if (some.length === 0)
    throw new Error(`--topology must be one of ${[...topologyNames, 'mixed'].join(', ')}`)
  return some
}
