import type { Constant, Expr } from '@bufbuild/cel-spec/cel/expr/syntax_pb.js'
import { BOOL, DOUBLE, INT, type RuleType, textType } from './type.ts'

const INT64_MAX = 2n ** 63n - 1n
const INT64_MIN = -(2n ** 63n)

/** The type of a value written out in a rule; undefined, and a fault, for what rules have no use for. */
export function typeOfLiteral(
  { constantKind: literal }: Constant,
  fault: (message: string) => void,
): RuleType | undefined {
  switch (literal.case) {
    case 'boolValue':
      return BOOL
    case 'stringValue':
      return textType(literal.value.length)
    case 'doubleValue':
      return DOUBLE
    case 'int64Value':
      if (literal.value > INT64_MAX || literal.value < INT64_MIN)
        fault(`${literal.value} is no 64-bit integer`)
      return INT
    case 'nullValue':
      fault(
        'nothing is null in a rule: an absent field reads as "", and has(order.customerId) tells',
      )
      return undefined
    default:
      fault('a rule has texts, ints, doubles, true and false only')
      return undefined
  }
}

/** The text that a part of a rule is, where it is one written out. */
export function textWrittenOut(expr: Expr | undefined): string | undefined {
  if (expr?.exprKind.case !== 'constExpr') return undefined
  const { constantKind } = expr.exprKind.value
  return constantKind.case === 'stringValue' ? constantKind.value : undefined
}
