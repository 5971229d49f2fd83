import { RE2JS } from '@bufbuild/re2'
import { type Overloads, PATTERN_CHARACTERS_MAX, resultsOf } from './overloads.ts'
import {
  BOOL,
  commonType,
  described,
  fitTogether,
  INT,
  isText,
  type ListType,
  listType,
  type RuleType,
} from './type.ts'

/** How many characters are compared or searched in one step. */
const CHARACTERS_A_STEP = 64
/** Matching takes this many times as long for each character of the pattern. */
const PATTERN_WEIGHT = 4

/**
 * A call in a rule: the function or operator as the parser names it, and the types of its
 * arguments, a method's target first.
 */
export type RuleCall = {
  readonly name: string
  readonly method: boolean
  readonly given: readonly (RuleType | undefined)[]
  /** The last argument, if it is a literal text, as a pattern must be. */
  readonly pattern: string | undefined
}

type CallContext = { readonly overloads: Overloads; readonly fault: (message: string) => void }

/** The type of a call's result. Undefined if the call, or one of its arguments, has a fault. */
export function resultOfCall(call: RuleCall, calling: CallContext): RuleType | undefined {
  const [one, other, third] = call.given
  switch (call.name) {
    case '_&&_':
    case '_||_':
    case '@not_strictly_false':
      if (!call.given.every((type) => isBool(type)))
        calling.fault(`${symbolOf(call)} joins what is true or false`)
      return BOOL
    case '_?_:_':
      if (!isBool(one)) calling.fault('what stands before ? must be true or false')
      if (!fitTogether(other, third)) calling.fault('both sides of : must be of one type')
      return commonType(other, third)
    case '_==_':
    case '_!=_':
      if (!comparable(one, other)) calling.fault(unfit(call))
      return BOOL
    case '@in':
      if (!canHold(other, one)) calling.fault(unfit(call))
      return BOOL
    case '_[_]':
      return indexed(call, calling)
    case 'matches':
      checkPattern(call, calling)
      return overloaded(call, calling)
    case 'size':
      return call.given.length === 1 && (one?.kind === 'list' || one?.kind === 'map')
        ? INT
        : overloaded(call, calling)
    case '_+_':
      return one?.kind === 'list' && other?.kind === 'list'
        ? concatenated(one, other, calling)
        : overloaded(call, calling)
    default:
      return overloaded(call, calling)
  }
}

/** The most steps that the call itself takes, without those of its arguments. */
export function stepsOfCall({ name, given, pattern }: RuleCall): number {
  if (name === '_&&_' || name === '_||_' || name === '_?_:_' || name === '_[_]') return 0
  const characters = given.reduce((sum, type) => sum + (isText(type) ? type.charactersMax : 0), 0)
  const elements = given.reduce(
    (sum, type) => sum + (type?.kind === 'list' && name !== 'size' ? type.sizeMax : 0),
    0,
  )
  const each = name === 'matches' ? PATTERN_WEIGHT * (pattern?.length ?? PATTERN_CHARACTERS_MAX) : 1
  return elements + Math.ceil((characters * each) / CHARACTERS_A_STEP)
}

function overloaded(call: RuleCall, { overloads, fault }: CallContext): RuleType | undefined {
  const known = overloads.get(call.name)
  if (known === undefined) {
    const names = [...overloads.keys()].filter((name) => /^\w+$/.test(name)).join(', ')
    fault(`there is no function ${call.name}: there is ${names}`)
    return undefined
  }
  const [result, ...others] = resultsOf(known, call.method, call.given)
  if (result === undefined) fault(unfit(call))
  return others.length === 0 ? result : undefined
}

function indexed({ given: [one, other] }: RuleCall, { fault }: CallContext): RuleType | undefined {
  if (one === undefined || other === undefined) return undefined
  if (one.kind === 'list' && other.kind === 'int') return one.element
  if (one.kind === 'map' && fitTogether(one.key, other)) return one.value
  fault(`${described(one)} cannot be read by ${described(other)}: write list[0] or map['key']`)
  return undefined
}

function concatenated(one: ListType, other: ListType, { fault }: CallContext): RuleType {
  if (!fitTogether(one.element, other.element))
    fault('lists can be added where their elements are of one type')
  return listType(commonType(one.element, other.element), one.sizeMax + other.sizeMax)
}

/** A pattern must be a literal, so that its faults are found before the first order. */
function checkPattern({ pattern }: RuleCall, { fault }: CallContext): void {
  const reason =
    pattern === undefined ? 'matches needs its pattern written out' : patternFault(pattern)
  if (reason !== undefined) fault(reason)
}

function patternFault(pattern: string): string | undefined {
  if (pattern.length > PATTERN_CHARACTERS_MAX) {
    const longest = `${PATTERN_CHARACTERS_MAX} characters`
    return `the pattern is longer than ${longest}: split it over several rules`
  }
  try {
    RE2JS.compile(pattern)
    return undefined
  } catch (err) {
    return `the pattern is not one of RE2: ${err instanceof Error ? err.message : err}`
  }
}

const isBool = (type: RuleType | undefined): boolean => type === undefined || type.kind === 'bool'

/**
 * Whether two types can be compared with `==`. An int and a double cannot: that would round the
 * int.
 */
const comparable = (one: RuleType | undefined, other: RuleType | undefined): boolean =>
  !holdsObjects(one) && !holdsObjects(other) && fitTogether(one, other)

/** Objects would be compared field by field, which is never meant and not bounded. */
const holdsObjects = (type: RuleType | undefined): boolean =>
  type?.kind === 'record' || (type?.kind === 'list' && holdsObjects(type.element))

function canHold(holder: RuleType | undefined, held: RuleType | undefined): boolean {
  if (holder === undefined) return true
  if (holder.kind === 'list') return comparable(holder.element, held)
  return holder.kind === 'map' && fitTogether(holder.key, held)
}

function unfit(call: RuleCall): string {
  const types = call.given.map((type) => (type === undefined ? 'something' : described(type)))
  const mixed = types.includes('int') && types.includes('double')
  const advice = mixed ? ': write whole numbers, such as 1000 and not 1000.0' : ''
  return `${symbolOf(call)} does not fit ${types.join(' and ')}${advice}`
}

/** `_<=_` as in the source: `<=`. */
const symbolOf = ({ name }: RuleCall): string => name.replaceAll(/[_@]/g, '')
