import { type Case, groups } from '../case.ts'
import { byChapter, sourceWords } from './acceptance.ts'

/** The list of cases as a page of the documentation. */
export function casesMarkdown(cases: readonly Case[]): string {
  const chapters = byChapter(cases, (one) => one)
  const needed = (one: Case) =>
    'needs' in one && one.needs !== undefined ? ` *Needs \`${one.needs}\`.*` : ''
  const parts = chapters.map(({ group, of }) => {
    const rows = of.map((one) => {
      const cells = [
        `\`${one.name}\``,
        `${one.rule}${needed(one)}`,
        one.expected.words,
        one.breaks,
        sourceWords(one),
      ]
      return `| ${cells.map(escaped).join(' | ')} |`
    })
    return `## ${groups[group]}\n\n| case | rule | expected | what breaks for a payer | source |\n| --- | --- | --- | --- | --- |\n${rows.join('\n')}\n`
  })
  return `# The cases\n\nThe ${cases.length} cases of [acceptance](acceptance.md), chapter by chapter.\n\n${parts.join('\n')}`
}

const escaped = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;')
