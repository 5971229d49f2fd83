import { type AcceptanceCase, chapterTitles } from '../case.ts'
import { byChapter, describeSource } from './acceptance.ts'

/** The list of cases as docs/acceptance-cases.md. */
export function casesMarkdown(cases: readonly AcceptanceCase[]): string {
  const chapters = byChapter(cases, (one) => one)
  const needed = (one: AcceptanceCase) =>
    'needs' in one && one.needs !== undefined ? ` *Needs \`${one.needs}\`.*` : ''
  const parts = chapters.map(({ group, of }) => {
    const rows = of.map((one) => {
      const cells = [
        `\`${one.name}\``,
        `${one.rule}${needed(one)}`,
        one.expected.text,
        one.breaks,
        describeSource(one),
      ]
      return `| ${cells.map(escaped).join(' | ')} |`
    })
    const head =
      '| case | rule | expected | what breaks for a payer | source |\n' +
      '| --- | --- | --- | --- | --- |'
    return `## ${chapterTitles[group]}\n\n${head}\n${rows.join('\n')}\n`
  })
  const intro = `The ${cases.length} cases of [acceptance](acceptance.md), chapter by chapter.`
  return `# Acceptance cases\n\n${intro}\n\n${parts.join('\n')}`
}

const escaped = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;')
