import { parseArgs } from 'node:util'

export const usage = `npm run chaos -- [--seed S] [--minutes M] [--rate R]

Runs ingresses and workers on a durable Redis, breaks all of it in many ways while orders come, and checks
that every promise was kept.

  --seed S      the same seed breaks the same things at the same times (default: a random one)
  --minutes M   for how long (default: 1)
  --rate R      new orders a second (default: 40)
`

export type Arguments = { seed: number; minutes: number; rate: number }

/** Reads the command line. Throws, saying what is wrong, for one that cannot be understood. */
export function readArguments(args: string[]): Arguments | 'help' {
  const { values } = parseArgs({
    args,
    options: {
      seed: { type: 'string' },
      minutes: { type: 'string', default: '1' },
      rate: { type: 'string', default: '40' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return 'help'
  const number = (name: string, text: string, min: number, max: number) => {
    const value = Number(text)
    if (text.trim() === '' || !(value >= min && value <= max))
      throw new Error(`--${name} must be a number from ${min} to ${max}`)
    return value
  }
  const seed = values.seed ?? String(Math.floor(Math.random() * 1_000_000))
  return {
    seed: Math.floor(number('seed', seed, 0, 2 ** 32 - 1)),
    minutes: number('minutes', values.minutes, 0.1, 24 * 60),
    rate: number('rate', values.rate, 1, 1_000),
  }
}
