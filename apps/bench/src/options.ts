import { parseArgs } from 'node:util'
import { z } from 'zod'

/** How the bench is run. */
export type Plan = {
  /** The figures to take, by name; all of them when undefined. */
  only: readonly string[] | undefined
  /** The form for CI: the ratio over the obvious way alone, in a minute. */
  short: boolean
  /** Alternating rounds of each measurement. */
  rounds: number
  /** How long the clock of one round runs (s). */
  seconds: number
  /** How long load is on before the clock of a round starts (s). */
  leadSeconds: number
  /**
   * How long load is on before the first round (s). Code is compiled as it turns out to be hot: an order took ingress and worker
   * 2.3 ms of CPU at first, 2.0 after 15,000 orders, and 1.8 from 35,000 on. What serves for days is measured warm.
   */
  warmUpSeconds: number
  sustainedSeconds: number
  /** Orders a second that are kept up for so long. */
  sustainedRate: number
  /** Orders held when their memory is weighed. */
  heldOrders: number
  /** Where a CPU profile of each of our processes is written to; none when undefined. */
  profile: string | undefined
}

const number = z.coerce.number().positive()
const Options = z.object({
  only: z.string().optional(),
  short: z.boolean().default(false),
  rounds: number.optional(),
  seconds: number.optional(),
  'sustained-seconds': number.default(600),
  'sustained-rate': number.default(1_000),
  'held-orders': number.default(1_000_000),
  profile: z.string().optional(),
})

export const usage = `npm run bench -- [options]
  --only <figure,…>            these figures alone
  --short                      the ratio over the obvious way alone, in a minute; exits 1 when it is below 3
  --rounds <n>                 alternating rounds of each measurement (3)
  --seconds <s>                how long a round's clock runs (4; short: 2)
  --sustained-rate <n>         orders a second that are kept up (1000)
  --sustained-seconds <s>      for so long (600)
  --held-orders <n>            orders held when their memory is weighed (1000000)
  --profile <directory>        write a CPU profile of each process of ours there`

/**
 * Reads the command line.
 *
 * @throws when an option is unknown or is no number
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
      'held-orders': { type: 'string' },
      profile: { type: 'string' },
    },
  })
  const options = Options.parse(values)
  const { short } = options
  return {
    only: options.only?.split(','),
    short,
    rounds: options.rounds ?? 3,
    seconds: options.seconds ?? (short ? 2 : 4),
    leadSeconds: 1,
    warmUpSeconds: short ? 6 : 45,
    sustainedSeconds: options['sustained-seconds'],
    sustainedRate: options['sustained-rate'],
    heldOrders: options['held-orders'],
    profile: options.profile,
  }
}
