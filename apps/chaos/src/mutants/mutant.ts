/** A change that breaks a promise, and the smallest test that must notice. */
export type Mutant = {
  /** What it breaks, as a sentence; names it. */
  breaks: string
  /** From the repository's root. */
  file: string
  /** Stands in the file exactly once. */
  from: string
  to: string
  /** A workspace, a test file of it, and perhaps a part of the tests' titles. */
  test: [workspace: string, file: string, title?: string]
}

/** A mutant's change cannot be made: the code is another by now. */
export class DoesNotApply extends Error {
  override readonly name = 'DoesNotApply'
}

/**
 * The text of a file with the mutant's change.
 *
 * @throws DoesNotApply where what it changes is not there once
 */
export function mutated(text: string, { file, from, to }: Pick<Mutant, 'file' | 'from' | 'to'>) {
  const [before, after, ...more] = text.split(from)
  if (before === undefined || after === undefined || more.length > 0)
    throw new DoesNotApply(`${file} has ${more.length + (after === undefined ? 0 : 1)} × ${from}`)
  return `${before}${to}${after}`
}
