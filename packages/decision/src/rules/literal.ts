import type { Constant, Expr } from '@bufbuild/cel-spec/cel/expr/syntax_pb.js'
import { BOOL, DOUBLE, INT, type RuleType, textType } from './type.ts'

const INT64_MAX = 2n ** 63n - 1n
const INT64_MIN = -(2n ** 63n)

/** The type of a literal; undefined, and a fault, for kinds that rules do not have. */
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
        fault(`${literal.value} is not a 64-bit integer`)
      return INT
    case 'nullValue':
      fault('nothing is null in a rule: an absent field reads as ""; ask has(order.customerId)')
      return undefined
    default:
      fault('a rule has texts, ints, doubles, true and false only')
      return undefined
  }
}

/** The text of a part of a rule, if it is a literal. */
export function textWrittenOut(expr: Expr | undefined): string | undefined {
  if (expr?.exprKind.case !== 'constExpr') return undefined
  const { constantKind } = expr.exprKind.value
  return constantKind.case === 'stringValue' ? constantKind.value : undefined
}
