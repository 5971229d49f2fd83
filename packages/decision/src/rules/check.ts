import type { Expr, ParsedExpr } from '@bufbuild/cel-spec/cel/expr/syntax_pb.js'
import type { Overloads } from './overloads.ts'
import { checkValue } from './part.ts'
import { described } from './type.ts'
import type { Reading } from './vocabulary.ts'

/** A rule without faults: what to evaluate, and what it reads. */
export type CheckedRule = {
  readonly expr: Expr
  readonly readings: readonly Reading[]
  readonly steps: number
  /** The position in the rule of the part with this id, for reporting where it failed. */
  readonly placeOf: (id: bigint) => string
}

/**
 * Checks the types of a rule, which the library cannot do yet, and bounds its time.
 *
 * @returns the rule ready for evaluation, or every fault with its line and column
 */
export function checkRule(
  parsed: ParsedExpr,
  source: string,
  overloads: Overloads,
): CheckedRule | string[] {
  const faults: string[] = []
  const readings = new Map<string, Reading>()
  const placeOf = (id: bigint) =>
    positionOf(source, parsed.sourceInfo?.positions[id.toString()] ?? 0)
  const fault = (at: Expr, message: string) => {
    faults.push(`${placeOf(at.id)}: ${message}`)
  }
  if (parsed.expr === undefined) return ['it is empty']
  const rule = checkValue(parsed.expr, { overloads, scope: new Map(), readings, depth: 0, fault })
  if (faults.length === 0 && rule.type?.kind !== 'bool') {
    const given = rule.type === undefined ? 'an unknown type' : described(rule.type)
    fault(parsed.expr, `the rule gives ${given}: it must come out true or false`)
  }
  if (faults.length > 0) return [...new Set(faults)]
  const read = [...readings.values()]
  const steps = read.reduce((sum, reading) => sum + reading.steps, rule.steps)
  return { expr: rule.expr, readings: read, steps, placeOf }
}

/** The position of an offset in the rule, counted from 1 as in editors. */
function positionOf(source: string, offset: number): string {
  const before = source.slice(0, offset).split('\n')
  return `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`
}
