import { type CopyOfTree, copyOfTree } from './copy-of-tree.ts'
import { DoesNotApply, type Mutant } from './mutant.ts'
import type { JudgedMutant, MutantResult } from './report.ts'

/** How many copies are used at once: tests mostly wait for servers and processes. */
const COPIES = 3

export type Judging = {
  signal: AbortSignal
  onStart: (commit: string) => void
  onResult: (judged: JudgedMutant) => void
}

/**
 * Runs each mutant's test with it, and each test once without. Resolves with the results in order.
 */
export async function judgeMutants(
  root: string,
  mutants: readonly Mutant[],
  { signal, onStart, onResult }: Judging,
): Promise<JudgedMutant[]> {
  const copies: CopyOfTree[] = []
  const judged: JudgedMutant[] = []
  const left = mutants.entries()
  const passing = new Map<string, Promise<boolean>>()
  const work = async (copy: CopyOfTree) => {
    for (const [place, mutant] of left) {
      if (signal.aborted) return
      const result = await resultOf(mutant, copy, passing)
      if (signal.aborted) return // Its test was stopped.
      judged[place] = { mutant, result }
      onResult({ mutant, result })
    }
  }
  try {
    for (let n = 0; n < COPIES; n += 1) copies.push(await copyOfTree(root, signal))
    onStart(copies[0]?.commit ?? '')
    await Promise.all(copies.map(work))
  } finally {
    for (const copy of copies) await copy.remove()
  }
  return judged.filter((one) => one !== undefined)
}

async function resultOf(
  mutant: Mutant,
  copy: CopyOfTree,
  passing: Map<string, Promise<boolean>>,
): Promise<MutantResult> {
  const name = mutant.test.join(' ')
  const passes = passing.get(name) ?? passesUnchanged(mutant.test, copy)
  passing.set(name, passes)
  try {
    // The test must pass without the mutant, or it would seem to catch every mutant.
    if (!(await passes)) return 'its test fails without it'
    return (await copy.passes(mutant.test, mutant)) ? 'survived' : 'caught'
  } catch (error) {
    if (error instanceof DoesNotApply) return 'does not apply'
    throw error
  }
}

/** On a busy machine a test may time out, so it has two attempts. */
const passesUnchanged = async (test: Mutant['test'], copy: CopyOfTree): Promise<boolean> =>
  (await copy.passes(test)) || copy.passes(test)
