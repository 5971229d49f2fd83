import {
  type AcceptanceCase,
  type Chapter,
  chapterOf,
  chapterTitles,
  type Origin,
} from '../case.ts'
import type { CaseOutcome } from '../run-cases.ts'

/** A run, as all reports show it. */
export type Acceptance = {
  url: string
  clientId: string
  startedAt: Date
  seconds: number
  outcomes: readonly CaseOutcome[]
}

const originSuffix: Readonly<Record<Origin, string>> = {
  doc: '',
  sdk: ', from the SDKs',
  ours: ', ours',
}

/** Where a rule is written, as reports say it. */
export const describeSource = ({
  source: { page, section, origin },
}: Pick<AcceptanceCase, 'source'>): string => `${page}, ${section}${originSuffix[origin]}`

/** The entries of each chapter, in the order of the chapters. */
export function byChapter<T>(
  all: readonly T[],
  caseOf: (one: T) => AcceptanceCase,
): { title: string; group: Chapter; of: T[] }[] {
  return Object.entries(chapterTitles).flatMap(([group, title]) => {
    const of = all.filter((one) => chapterOf(caseOf(one)) === group)
    return of.length === 0 ? [] : [{ title, group: group as Chapter, of }]
  })
}

/** The number of cases of each verdict, in a line. */
export function describeCounts(outcomes: readonly CaseOutcome[]): string {
  const of = (verdict: CaseOutcome['verdict']) =>
    outcomes.filter((one) => one.verdict === verdict).length
  return `${of('PASSED')} passed, ${of('FAILED')} failed, ${of('SKIPPED')} skipped`
}
