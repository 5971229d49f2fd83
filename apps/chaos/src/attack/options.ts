import { parseArgs } from 'node:util'

export const usage = `npm run attack -- [--seed S] [--minutes M] [--only N]

Attacks a system that it starts: first with each case that was found to work once, then over raw sockets with requests
that are broken, cut, changed or sent thousands of times over, and signed requests with any structure inside. Checks that no process ends, that none hangs, that every answer is signed
for what was asked, that no order that is placed is answered with a final F, and that memory stays flat.

  --seed S      the same seed sends the same (default: a random one)
  --minutes M   for how long (default: 1)
  --only N      tries no case, and sends only the shot of this number, as a fault names it
`

export type Arguments = { seed: number; minutes: number; only: number | undefined }

/** Reads the command line. Throws, saying what is wrong, for one that cannot be understood. */
export function readArguments(args: string[]): Arguments | 'help' {
  const { values } = parseArgs({
    args,
    options: {
      seed: { type: 'string' },
      minutes: { type: 'string', default: '1' },
      only: { type: 'string' },
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
  const whole = (name: string, text: string) => Math.floor(number(name, text, 0, 2 ** 32 - 1))
  return {
    seed: whole('seed', values.seed ?? String(Math.floor(Math.random() * 1_000_000))),
    minutes: number('minutes', values.minutes, 0.1, 24 * 60),
    only: values.only === undefined ? undefined : whole('only', values.only),
  }
}
