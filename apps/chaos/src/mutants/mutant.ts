/** A change that breaks a promise, and the smallest test that must fail with it. */
export type Mutant = {
  /** What it breaks, which is also its name. */
  breaks: string
  /** From the repository's root. */
  file: string
  /** The text to replace, which must be in the file exactly once. */
  from: string
  to: string
  /** A workspace, a test file in it, and optionally a part of the tests' titles. */
  test: [workspace: string, file: string, title?: string]
}

/** A mutant cannot be applied: the code has changed. */
export class DoesNotApply extends Error {
  override readonly name = 'DoesNotApply'
}

/**
 * Applies a mutant to the text of its file.
 *
 * @throws DoesNotApply if `from` is not in the text exactly once
 */
export function mutated(text: string, { file, from, to }: Pick<Mutant, 'file' | 'from' | 'to'>) {
  const [before, after, ...more] = text.split(from)
  if (before === undefined || after === undefined || more.length > 0)
    throw new DoesNotApply(`${file} has ${more.length + (after === undefined ? 0 : 1)} × ${from}`)
  return `${before}${to}${after}`
}
