import { type CopyOfTree, copyOfTree } from './copy-of-tree.ts'
import { DoesNotApply, type Mutant } from './mutant.ts'
import type { JudgedMutant, MutantResult } from './report.ts'

/**
 * So many copies are worked in at once: tests wait for servers and processes for much of their
 * time.
 */
const COPIES = 3

export type Judging = {
  signal: AbortSignal
  onStart: (commit: string) => void
  onResult: (judged: JudgedMutant) => void
}

/**
 * Runs the test of each mutant with it, and each test once without. Resolves with the results, in
 * the mutants' order.
 */
export async function judgeMutants(
  root: string,
  mutants: readonly Mutant[],
  { signal, onStart, onResult }: Judging,
): Promise<JudgedMutant[]> {
  const copies: CopyOfTree[] = []
  const judged: JudgedMutant[] = []
  const left = mutants.entries()
  const sound = new Map<string, Promise<boolean>>()
  const work = async (copy: CopyOfTree) => {
    for (const [place, mutant] of left) {
      if (signal.aborted) return
      const result = await resultOf(mutant, copy, sound)
      if (signal.aborted) return // Its test was ended.
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
  sound: Map<string, Promise<boolean>>,
): Promise<MutantResult> {
  const name = mutant.test.join(' ')
  const passes = sound.get(name) ?? isSound(mutant.test, copy)
  sound.set(name, passes)
  try {
    // Without it the test must pass: else it would seem to catch each.
    if (!(await passes)) return 'its test fails without it'
    return (await copy.passes(mutant.test, mutant)) ? 'survived' : 'caught'
  } catch (error) {
    if (error instanceof DoesNotApply) return 'does not apply'
    throw error
  }
}

/** On a busy machine a test may fail for want of time. */
const isSound = async (test: Mutant['test'], copy: CopyOfTree): Promise<boolean> =>
  (await copy.passes(test)) || copy.passes(test)
