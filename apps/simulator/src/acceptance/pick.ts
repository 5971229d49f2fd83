import { UsageError } from '../cli/command.ts'
import type { AcceptanceCase } from './case.ts'

type Wanted = { only?: string | undefined; without?: string | undefined }

/**
 * The cases that `only` names and `without` does not. A name is a case, the beginning of one (such
 * as a chapter), or the origin of a rule.
 *
 * @throws UsageError on a name without a case, and when no case is left
 */
export function pick(
  cases: readonly AcceptanceCase[],
  { only, without }: Wanted,
): readonly AcceptanceCase[] {
  const named = only === undefined ? cases : cases.filter(anyOf('only', only, cases))
  const unwanted = without === undefined ? () => false : anyOf('without', without, cases)
  const left = named.filter((one) => !unwanted(one))
  if (left.length === 0) throw new UsageError('--only and --without leave no case')
  return left
}

function anyOf(
  option: string,
  list: string,
  cases: readonly AcceptanceCase[],
): (one: AcceptanceCase) => boolean {
  const all = list.split(',').map((text) => text.trim())
  const unknown = all.find((text) => text === '' || !cases.some((one) => isNamed(one, text)))
  if (unknown !== undefined)
    throw new UsageError(`--${option} ${list}: '${unknown}' names no case; see --list`)
  return (one) => all.some((text) => isNamed(one, text))
}

const isNamed = ({ name, source }: AcceptanceCase, text: string): boolean =>
  source.origin === text || name.startsWith(text)
