import type { Mutant } from './mutant.ts'

/** How a mutant ended. Only the first is good. */
export type MutantResult = 'caught' | 'survived' | 'does not apply' | 'its test fails without it'

export type JudgedMutant = { mutant: Mutant; result: MutantResult }

/** The page that `npm run mutants` writes. */
export function tableOf(judged: JudgedMutant[]): string {
  const rows = judged.map(({ mutant: { breaks, file, test }, result }) => {
    const [workspace, path, title] = test
    const named = title === undefined ? '' : `: ${title}`
    return `| ${breaks} | \`${file}\` | \`${workspace}/${path}\`${named} | ${result} |`
  })
  const caught = judged.filter(({ result }) => result === 'caught').length
  return `# Mutants

Each of these changes breaks a promise on purpose. \`npm run mutants\` applies them one after the
other to a copy of the last commit, runs the test that must fail, and writes this page:
${caught} of ${judged.length} caught.

| what is broken | where | what catches it | result |
| --- | --- | --- | --- |
${rows.join('\n')}
`
}
