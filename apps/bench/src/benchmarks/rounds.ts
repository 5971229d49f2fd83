import type { Plan } from '../options.ts'
import type { Metric } from '../report/metric.ts'
import { median, roundsOf } from '../statistics.ts'
import { measure, type Sample, type Subject } from '../test-bed/measure.ts'
import type { TestBed } from '../test-bed/test-bed.ts'

/** How long each subject is under load in all (s), with some to spare. */
export const loadSeconds = ({ rounds, seconds, leadSeconds, warmUpSeconds }: Plan): number =>
  rounds * (leadSeconds + seconds + 1) + warmUpSeconds + 2

export type Alternating = {
  /**
   * The subjects under the load that warms them up, if another one: a low rate warms up too little.
   */
  busy?: readonly Subject[]
  betweenRounds?: () => Promise<void>
}

/**
 * Measures the subjects in turn, round after round, so that whatever slows the machine down for a
 * while slows all of them down. Resolves with each subject's samples, by name.
 */
export async function alternate(
  testBed: TestBed,
  subjects: readonly Subject[],
  { busy = subjects, betweenRounds = async () => {} }: Alternating = {},
): Promise<Map<string, Sample[]>> {
  const { rounds, seconds, leadSeconds, warmUpSeconds } = testBed.plan
  const samples = new Map<string, Sample[]>(subjects.map(({ name }) => [name, []]))
  for (const [i, subject] of subjects.entries()) {
    testBed.say(`${subject.name}: warming up`)
    const warming = busy[i] ?? subject
    await measure(warming, { leadSeconds: warmUpSeconds, seconds: 0.5 })
    subject.next = warming.next
  }
  for (let round = 1; round <= rounds; round += 1) {
    for (const subject of subjects) {
      const sample = await measure(subject, { leadSeconds, seconds })
      samples.get(subject.name)?.push(sample)
      testBed.say(
        `${subject.name}, round ${round} of ${rounds}: ${Math.round(sample.perSecond)} orders/s`,
      )
    }
    await betweenRounds()
  }
  return samples
}

/** A metric from each round's sample. */
export const metricOf = (
  what: string,
  unit: string,
  samples: readonly Sample[],
  of: (sample: Sample) => number,
  must?: Metric['must'],
): Metric => ({
  what,
  unit,
  rounds: roundsOf(samples.map(of)),
  ...(must === undefined ? {} : { must }),
})

/** A metric that compares two subjects, each sample with the other one of the same round. */
export const ratio = (
  what: string,
  [over, under]: readonly [readonly Sample[], readonly Sample[]],
  of: (sample: Sample) => number,
  must?: Metric['must'],
): Metric => ({
  what,
  unit: '×',
  rounds: roundsOf(over.map((sample, i) => of(sample) / of(under[i] as Sample))),
  ...(must === undefined ? {} : { must }),
})

/** How much CPU time an order takes in each process (µs). */
export function cpuNote(name: string, samples: readonly Sample[]): string {
  const names = Object.keys(samples[0]?.cpuUs ?? {})
  const parts = names.map(
    (process) =>
      `${process} ${Math.round(median(samples.map(({ cpuUs }) => cpuUs[process] ?? Number.NaN)))}`,
  )
  return `CPU time per order, ${name}, in µs: ${parts.join(', ')}.`
}

/** Which commands Redis ran for an order. */
export function commandsNote(name: string, samples: readonly Sample[]): string {
  const { byCommand = [] } = samples.at(-1) ?? {}
  const parts = byCommand.map(([command, count]) => `${command} ${count.toFixed(2)}`)
  return `Redis commands per order, ${name}: ${parts.join(', ')}.`
}
