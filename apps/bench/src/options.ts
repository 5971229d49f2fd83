import { parseArgs } from 'node:util'
import { z } from 'zod'

/** How the benchmarks are run. */
export type Plan = {
  /** The names of the benchmarks to run; all of them if undefined. */
  only: readonly string[] | undefined
  /** The form for CI: only the ratio over naive BullMQ, in a minute. */
  short: boolean
  /** The number of alternating rounds of each measurement. */
  rounds: number
  /** How long one round is measured (s). */
  seconds: number
  /** How long a point of the curve is measured in each round (s). */
  curveSeconds: number
  /** How long load is on before a round is measured (s). */
  leadSeconds: number
  /**
   * How long load is on before the first round (s). V8 compiles code as it becomes hot: an order
   * took ingress and worker 2.3 ms of CPU at first, 2.0 after 15,000 orders, and 1.8 from 35,000
   * on. Services run for days, so they are measured warm.
   */
  warmUpSeconds: number
  sustainedSeconds: number
  /** The number of orders sent per second for that time. */
  sustainedRate: number
  /** The number of stored orders at which memory is measured. */
  storedOrders: number
  /** Where to write a CPU profile of each ingress, worker and archiver; none if undefined. */
  profile: string | undefined
  /** Another checkout of this repository, measured by turns with this one; none if undefined. */
  against: string | undefined
  /** The systems whose curve is measured; all of them if undefined. */
  systems: readonly string[] | undefined
  /** Orders in flight at which the curve is measured alone; the whole curve if undefined. */
  inFlight: readonly number[] | undefined
  /** Where to write the plot of the curve; `.bench/curve.svg` if undefined. */
  plot: string | undefined
}

const number = z.coerce.number().positive()
const Options = z.object({
  only: z.string().optional(),
  short: z.boolean().default(false),
  rounds: number.optional(),
  seconds: number.optional(),
  'sustained-seconds': number.default(600),
  'sustained-rate': number.default(1_000),
  'stored-orders': number.default(1_000_000),
  profile: z.string().optional(),
  against: z.string().optional(),
  systems: z.string().optional(),
  plot: z.string().optional(),
  'in-flight': z
    .string()
    .transform((text) => text.split(',').map(Number))
    .pipe(z.array(z.int().positive()))
    .optional(),
})

export const usage = `npm run bench -- [options]
  --only <benchmark,…>         run these benchmarks only
  --short                      only the ratio over naive BullMQ, in a minute; exits 1 if below 3.
                               With --only curve: one round of a few points of it
  --rounds <n>                 alternating rounds of each measurement (3)
  --seconds <s>                how long a round is measured (4, short: 2; curve: 1.5, short: 1)
  --sustained-rate <n>         orders sent per second (1000)
  --sustained-seconds <s>      for so long (600)
  --stored-orders <n>          number of stored orders at which memory is measured (1000000)
  --profile <directory>        write a CPU profile of each ingress, worker and archiver there
  --against <directory>        curve: measure another checkout of this repository by turns
  --systems <system,…>         curve: placeorder, floor, no-op, naive, bee, job-queue or some
  --in-flight <n,…>            curve: with so many orders in flight alone
  --plot <file>                curve: where to write the plot (.bench/curve.svg)`

/**
 * Reads the command line.
 *
 * @throws if an option is unknown or is not a number
 */
export function planOf(args: string[]): Plan {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: 'string' },
      short: { type: 'boolean' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      'sustained-seconds': { type: 'string' },
      'sustained-rate': { type: 'string' },
      'stored-orders': { type: 'string' },
      profile: { type: 'string' },
      against: { type: 'string' },
      systems: { type: 'string' },
      plot: { type: 'string' },
      'in-flight': { type: 'string' },
    },
  })
  const options = Options.parse(values)
  const { short } = options
  return {
    only: options.only?.split(','),
    short,
    rounds: options.rounds ?? 3,
    seconds: options.seconds ?? (short ? 2 : 4),
    curveSeconds: options.seconds ?? (short ? 1 : 1.5),
    leadSeconds: 1,
    warmUpSeconds: short ? 6 : 45,
    sustainedSeconds: options['sustained-seconds'],
    sustainedRate: options['sustained-rate'],
    storedOrders: options['stored-orders'],
    profile: options.profile,
    against: options.against,
    systems: options.systems?.split(','),
    plot: options.plot,
    inFlight: options['in-flight'],
  }
}
