import type { Expr } from '@bufbuild/cel-spec/cel/expr/syntax_pb.js'
import { resultOfCall, stepsOfCall } from './call.ts'
import { textWrittenOut, typeOfLiteral } from './literal.ts'
import type { Overloads } from './overloads.ts'
import {
  BOOL,
  commonType,
  described,
  fitTogether,
  isText,
  type ListType,
  listType,
  type RecordType,
  type RuleType,
} from './type.ts'
import { presenceName, presenceOf, type Reading, readingOf, variables } from './vocabulary.ts'

/** A checked part of a rule. */
type CheckedPart = {
  /** The part to evaluate: fields are read by their full names, `has()` is a name of its own. */
  readonly expr: Expr
  /**
   * Undefined if it has a fault, which is reported already, and for the elements of an empty list.
   */
  readonly type: RuleType | undefined
  /** The most steps that it takes, see RULE_STEPS_MAX. */
  readonly steps: number
  /** Its path in the variables: `order.merchant`. Undefined for a computed value. */
  readonly path?: string
}

type PartContext = {
  readonly overloads: Overloads
  /** Names that are bound by comprehensions. */
  readonly scope: ReadonlyMap<string, RuleType | undefined>
  readonly readings: Map<string, Reading>
  readonly depth: number
  /** Reports a fault at a part of the rule. */
  readonly fault: (at: Expr, message: string) => void
}

/**
 * The deepest nesting: evaluation recurses, and the stack is bounded. A long chain of `||` or `&&`
 * is not deep.
 */
const NESTING_MAX = 200

/**
 * Checks a part that is used as a value. An object among the variables is not a value, only its
 * fields are.
 */
export function checkValue(expr: Expr, checking: PartContext): CheckedPart {
  const checked = check(expr, checking)
  if (checked.path === undefined || checked.type?.kind !== 'record') return checked
  checking.fault(
    expr,
    `${checked.path} is an object: name one of its fields: ${fieldsOf(checked.type)}`,
  )
  return { ...checked, type: undefined }
}

function check(expr: Expr, outside: PartContext): CheckedPart {
  const { exprKind: kind } = expr
  const checking = { ...outside, depth: outside.depth + 1 }
  if (checking.depth > NESTING_MAX) {
    checking.fault(expr, `parts are nested deeper than ${NESTING_MAX}: split the rule`)
    return { expr, type: undefined, steps: 1 }
  }
  switch (kind.case) {
    case 'constExpr':
      return {
        expr,
        type: typeOfLiteral(kind.value, (message) => checking.fault(expr, message)),
        steps: 1,
      }
    case 'identExpr':
      return checkName(expr, kind.value.name, checking)
    case 'selectExpr':
      return checkField(expr, kind.value, checking)
    case 'callExpr':
      return checkCall(expr, kind.value, checking)
    case 'listExpr':
      return checkListLiteral(expr, kind.value, checking)
    case 'structExpr':
      return checkMapLiteral(expr, kind.value, checking)
    case 'comprehensionExpr':
      return checkComprehension(expr, kind.value, checking)
    default:
      checking.fault(expr, 'a rule cannot contain this')
      return { expr, type: undefined, steps: 1 }
  }
}

type KindOf<C extends Expr['exprKind']['case']> =
  Extract<Expr['exprKind'], { case: C }> extends { value: infer V } ? V : never

function checkName(expr: Expr, name: string, { scope, fault }: PartContext): CheckedPart {
  if (scope.has(name)) return { expr, type: scope.get(name), steps: 1 }
  const variable = Object.hasOwn(variables.fields, name) ? variables.fields[name] : undefined
  if (variable === undefined)
    fault(expr, `there is no ${name}: a rule reads ${fieldsOf(variables)}`)
  return { expr, type: variable, steps: 1, path: name }
}

function checkField(expr: Expr, select: KindOf<'selectExpr'>, checking: PartContext): CheckedPart {
  const { operand, field, testOnly } = select
  const owner = operand === undefined ? undefined : check(operand, checking)
  const steps = (owner?.steps ?? 0) + 1
  if (owner?.type === undefined) return { expr, type: undefined, steps }
  const name = owner.path ?? 'it'
  if (owner.type.kind !== 'record') {
    checking.fault(expr, `${name} has no fields, it is ${described(owner.type)}`)
    return { expr, type: undefined, steps }
  }
  const type = Object.hasOwn(owner.type.fields, field) ? owner.type.fields[field] : undefined
  if (type === undefined) {
    checking.fault(expr, `${name} has no field ${field}: there is ${fieldsOf(owner.type)}`)
    return { expr, type: undefined, steps }
  }
  if (owner.path === undefined) return fieldOfElement(expr, select, owner.expr, type, steps)
  const path = `${owner.path}.${field}`
  if (testOnly) {
    const reading = presenceOf(path)
    checking.readings.set(reading.name, reading)
    return { expr: named(expr, reading.name), type: BOOL, steps }
  }
  if (type.kind !== 'record') checking.readings.set(path, readingOf(path, type))
  return { expr, type, steps, path }
}

/** A field of an object in a list, which has the results of `has()` beside its fields. */
function fieldOfElement(
  expr: Expr,
  select: KindOf<'selectExpr'>,
  operand: Expr,
  type: RuleType,
  steps: number,
): CheckedPart {
  const field = select.testOnly ? presenceName(select.field) : select.field
  const value = { ...select, operand, field, testOnly: false }
  return {
    expr: { ...expr, exprKind: { case: 'selectExpr', value } },
    type: select.testOnly ? BOOL : type,
    steps,
  }
}

function checkCall(expr: Expr, call: KindOf<'callExpr'>, checking: PartContext): CheckedPart {
  const target = call.target === undefined ? undefined : checkValue(call.target, checking)
  const args = call.args.map((arg) => checkValue(arg, checking))
  const given = target === undefined ? args : [target, ...args]
  const made = {
    name: call.function,
    method: target !== undefined,
    given: given.map(({ type }) => type),
    pattern: textWrittenOut(call.args.at(-1)),
  }
  const fault = (message: string) => checking.fault(expr, message)
  const type = resultOfCall(made, { overloads: checking.overloads, fault })
  const value = {
    ...call,
    args: args.map((arg) => arg.expr),
    ...(target === undefined ? {} : { target: target.expr }),
  }
  return {
    expr: { ...expr, exprKind: { case: 'callExpr', value } },
    type,
    steps: stepsOf(given) + stepsOfCall(made),
  }
}

function checkListLiteral(
  expr: Expr,
  list: KindOf<'listExpr'>,
  checking: PartContext,
): CheckedPart {
  const elements = list.elements.map((element) => checkValue(element, checking))
  const type = listType(common(expr, elements, 'the elements of a list', checking), elements.length)
  const value = { ...list, elements: elements.map((element) => element.expr) }
  return {
    expr: { ...expr, exprKind: { case: 'listExpr', value } },
    type,
    steps: stepsOf(elements),
  }
}

function checkMapLiteral(
  expr: Expr,
  struct: KindOf<'structExpr'>,
  checking: PartContext,
): CheckedPart {
  if (struct.messageName !== '')
    checking.fault(expr, `there is no message ${struct.messageName} to make`)
  const keys: CheckedPart[] = []
  const values: CheckedPart[] = []
  const entries = struct.entries.map((entry) => {
    if (entry.keyKind.case !== 'mapKey' || entry.value === undefined) return entry
    const key = checkValue(entry.keyKind.value, checking)
    const value = checkValue(entry.value, checking)
    keys.push(key)
    values.push(value)
    return { ...entry, keyKind: { case: 'mapKey' as const, value: key.expr }, value: value.expr }
  })
  const key = common(expr, keys, 'the keys of a map', checking)
  if (key !== undefined && !isText(key) && key.kind !== 'int')
    checking.fault(expr, 'the keys of a map are texts or ints')
  const value = common(expr, values, 'the values of a map', checking)
  const type: RuleType = { kind: 'map', key, value, sizeMax: values.length }
  const made = { case: 'structExpr' as const, value: { ...struct, entries } }
  return { expr: { ...expr, exprKind: made }, type, steps: stepsOf([...keys, ...values]) }
}

/** `exists`, `all`, `exists_one`, `map` and `filter`, as the parser expands them. */
function checkComprehension(
  expr: Expr,
  walk: KindOf<'comprehensionExpr'>,
  checking: PartContext,
): CheckedPart {
  const { iterRange, accuInit, loopCondition, loopStep, result } = walk
  if (!iterRange || !accuInit || !loopCondition || !loopStep || !result) {
    checking.fault(expr, 'this comprehension is incomplete')
    return { expr, type: undefined, steps: 1 }
  }
  const range = checkValue(iterRange, checking)
  const start = checkValue(accuInit, checking)
  if (checking.scope.has(walk.iterVar) || Object.hasOwn(variables.fields, walk.iterVar)) {
    checking.fault(expr, `${walk.iterVar} means something else already: choose another name`)
  }
  const bound = [
    ...checking.scope,
    [walk.accuVar, start.type],
    [walk.iterVar, elementOf(expr, range, checking)],
  ] as const
  const inside = { ...checking, scope: new Map(bound) }
  const condition = checkValue(loopCondition, inside)
  const step = checkValue(loopStep, inside)
  const end = checkValue(result, inside)
  const sizeMax = range.type?.kind === 'list' || range.type?.kind === 'map' ? range.type.sizeMax : 0
  const collects = start.type?.kind === 'list'
  const type = collects ? collected(step.type, sizeMax) : end.type
  const rounds = sizeMax * (condition.steps + step.steps + 1)
  // The library builds a list by copying it for each element, which takes the square of its length.
  const steps = range.steps + start.steps + rounds + (collects ? sizeMax ** 2 : 0) + end.steps
  const value = {
    ...walk,
    iterRange: range.expr,
    accuInit: start.expr,
    loopCondition: condition.expr,
    loopStep: step.expr,
    result: end.expr,
  }
  return { expr: { ...expr, exprKind: { case: 'comprehensionExpr', value } }, type, steps }
}

function elementOf(expr: Expr, range: CheckedPart, { fault }: PartContext): RuleType | undefined {
  if (range.type === undefined) return undefined
  if (range.type.kind === 'list') return range.type.element
  if (range.type.kind === 'map') return range.type.key
  fault(expr, `exists, all, map and filter walk a list, this is ${described(range.type)}`)
  return undefined
}

/**
 * The result of `map` and `filter`: a list of what each step adds, not longer than the iterated
 * list.
 */
function collected(step: RuleType | undefined, sizeMax: number): ListType {
  return listType(step?.kind === 'list' ? step.element : undefined, sizeMax)
}

/** The common type of these parts; a fault if they have none. */
function common(
  expr: Expr,
  parts: readonly CheckedPart[],
  what: string,
  { fault }: PartContext,
): RuleType | undefined {
  let type: RuleType | undefined
  for (const part of parts) {
    if (!fitTogether(type, part.type)) {
      fault(expr, `${what} must all be of one type`)
      return undefined
    }
    type = commonType(type, part.type)
  }
  return type
}

const named = (expr: Expr, name: string): Expr => ({
  ...expr,
  exprKind: { case: 'identExpr', value: { $typeName: 'cel.expr.Expr.Ident', name } },
})

const stepsOf = (parts: readonly CheckedPart[]): number =>
  parts.reduce((sum, { steps }) => sum + steps, 1)

const fieldsOf = ({ fields }: RecordType): string => Object.keys(fields).join(', ')
