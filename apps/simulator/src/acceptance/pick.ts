import { UsageError } from '../cli/command.ts'
import type { Case } from './case.ts'

type Wanted = { only?: string | undefined; without?: string | undefined }

/**
 * The cases that `only` names and `without` does not. A word is a case, the beginning of one, such as a chapter, or on
 * whose word a rule is.
 *
 * @throws UsageError on a word that names no case, and when nothing is left
 */
export function pick(cases: readonly Case[], { only, without }: Wanted): readonly Case[] {
  const named = only === undefined ? cases : cases.filter(anyOf('only', only, cases))
  const unwanted = without === undefined ? () => false : anyOf('without', without, cases)
  const left = named.filter((one) => !unwanted(one))
  if (left.length === 0) throw new UsageError('--only and --without leave no case')
  return left
}

function anyOf(option: string, words: string, cases: readonly Case[]): (one: Case) => boolean {
  const all = words.split(',').map((word) => word.trim())
  const unknown = all.find((word) => word === '' || !cases.some((one) => isNamed(one, word)))
  if (unknown !== undefined)
    throw new UsageError(`--${option} ${words}: '${unknown}' names no case; --list names them`)
  return (one) => all.some((word) => isNamed(one, word))
}

const isNamed = ({ name, source }: Case, word: string): boolean =>
  source.word === word || name.startsWith(word)
