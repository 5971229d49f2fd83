import { type Case, type Group, groupOf, groups, type Word } from '../case.ts'
import type { Outcome } from '../run-cases.ts'

/** A run, as all reports tell it. */
export type Acceptance = {
  url: string
  clientId: string
  startedAt: Date
  seconds: number
  outcomes: readonly Outcome[]
}

const wordWords: Readonly<Record<Word, string>> = {
  doc: '',
  sdk: ', from the SDKs',
  ours: ', ours',
}

/** Where a rule is written, for people. */
export const sourceWords = ({ source: { page, at, word } }: Pick<Case, 'source'>): string =>
  `${page}, ${at}${wordWords[word]}`

/** What is there of each chapter, in their order. */
export function byChapter<T>(
  all: readonly T[],
  caseOf: (one: T) => Case,
): { title: string; group: Group; of: T[] }[] {
  return Object.entries(groups).flatMap(([group, title]) => {
    const of = all.filter((one) => groupOf(caseOf(one)) === group)
    return of.length === 0 ? [] : [{ title, group: group as Group, of }]
  })
}

/** How many of each verdict, in a line. */
export function countWords(outcomes: readonly Outcome[]): string {
  const of = (verdict: Outcome['verdict']) =>
    outcomes.filter((one) => one.verdict === verdict).length
  return `${of('PASSED')} passed, ${of('FAILED')} failed, ${of('SKIPPED')} skipped`
}
