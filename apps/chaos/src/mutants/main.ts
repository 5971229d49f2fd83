import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { judgeMutants } from './judge-mutants.ts'
import { tableOf } from './report.ts'
import { mutants } from './table/index.ts'

const help = `npm run mutants -- [--only TEXT]

Applies mutants, changes that break a promise, one by one to a copy of the last commit, and runs the
test that must fail. Takes some minutes. Writes docs/mutants.md, unless --only is given.

  --only TEXT   only mutants whose name or file contains TEXT; may be repeated
`

function readWords() {
  try {
    return parseArgs({
      options: { only: { type: 'string', multiple: true }, help: { type: 'boolean' } },
    }).values
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${help}`)
    process.exit(2)
  }
}

const { only, help: asksForHelp } = readWords()
if (asksForHelp) {
  console.log(help)
  process.exit(0)
}
const root = join(import.meta.dirname, '../../../..')
const chosen = mutants.filter(
  ({ breaks, file }) =>
    only === undefined || only.some((text) => `${breaks} ${file}`.includes(text)),
)
const ending = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ending.abort())
const judged = await judgeMutants(root, chosen, {
  signal: ending.signal,
  onStart: (commit) => console.log(`${chosen.length} mutants of ${commit}`),
  onResult: ({ mutant, result }) =>
    console.log(`${result === 'caught' ? '✓' : '✗'} ${mutant.breaks}: ${result}`),
})
if (only === undefined && judged.length === mutants.length)
  await writeFile(join(root, 'docs/mutants.md'), tableOf(judged))
const caught = judged.filter(({ result }) => result === 'caught').length
console.log(`${caught} of ${chosen.length} caught`)
process.exitCode = caught === chosen.length ? 0 : 1
