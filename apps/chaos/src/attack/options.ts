import { parseArgs } from 'node:util'
import { numberOption } from '../options.ts'

export const attackUsage = `npm run attack -- [--seed S] [--minutes M] [--only N]

Starts a system and attacks it: first with each attack that succeeded once, then over raw sockets
with requests that are broken, cut, changed or repeated thousands of times, and with signed requests
of any structure. Checks that no process ends or hangs, that every answer is signed for its request,
that no placed order is answered with a final F, and that memory does not grow.

  --seed S      the same seed sends the same requests (default: random)
  --minutes M   how long to attack (default: 1)
  --only N      sends only the shot with this number, to reproduce a fault
`

export type AttackArguments = { seed: number; minutes: number; only: number | undefined }

/** Reads the command line. Throws with what is wrong if it is not valid. */
export function readAttackArguments(args: string[]): AttackArguments | 'help' {
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
  const whole = (name: string, text: string) => Math.floor(numberOption(name, text, 0, 2 ** 32 - 1))
  return {
    seed: whole('seed', values.seed ?? String(Math.floor(Math.random() * 1_000_000))),
    minutes: numberOption('minutes', values.minutes, 0.1, 24 * 60),
    only: values.only === undefined ? undefined : whole('only', values.only),
  }
}
