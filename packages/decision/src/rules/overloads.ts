import { type CelEnv, CelScalar, type CelType, celEnv, celFunc } from '@bufbuild/cel'
import { RE2JS } from '@bufbuild/re2'
import { BOOL, DOUBLE, INT, isText, type RuleType, textType } from './type.ts'

/** An overload of a function: the kinds of its arguments and of its result. */
export type Overload = {
  readonly method: boolean
  readonly takes: readonly string[]
  readonly gives: string
}

export type Overloads = ReadonlyMap<string, readonly Overload[]>

/** The functions that rules may call, in every overload of the library over the types of rules. */
const functions = [
  'int',
  'double',
  'string',
  'size',
  'contains',
  'startsWith',
  'endsWith',
  'matches',
]
const operators = ['_+_', '_-_', '_*_', '_/_', '_%_', '-_', '!_', '_<_', '_<=_', '_>_', '_>=_']
const kinds = new Set(['bool', 'int', 'double', 'string'])
/**
 * The time of a match is linear in the pattern and in the text, so it can be bounded beforehand.
 */
export const PATTERN_CHARACTERS_MAX = 200

/** The longest text without a bound of its own, such as an amount with 64 KiB of digits. */
const TEXT_CHARACTERS_MAX = 65_536

/**
 * The library's environment for rules. Patterns are RE2, which is linear in the text. Each is
 * compiled once: the library would compile it for every order.
 */
export function openEnvironment(): CelEnv {
  const compiled = new Map<string, ReturnType<typeof RE2JS.compile>>()
  const compile = (pattern: string) => {
    const known = compiled.get(pattern)
    if (known !== undefined) return known
    const matcher = RE2JS.compile(pattern)
    compiled.set(pattern, matcher)
    return matcher
  }
  return celEnv({ re2: { compile }, funcs: [doubleOfText] })
}

/**
 * The library converts a text that is not a number to NaN, which no comparison rejects: a fault is
 * safer.
 */
const doubleOfText = celFunc('double', [CelScalar.STRING], CelScalar.DOUBLE, (text) => {
  const value = Number(text)
  if (Number.isNaN(value)) throw new Error('not a number')
  return value
})

/** Reads the library's own declarations, so that rules are checked against what will be called. */
export function overloadsOf(env: CelEnv): Overloads {
  const allowed = new Set([...functions, ...operators])
  const overloads = Array.from(env.funcs, ({ name, target, arguments: args, result }) => ({
    name,
    method: target !== undefined,
    takes: (target === undefined ? args : [target, ...args]).map(nameOf),
    gives: nameOf(result),
  }))
  const ours = overloads
    .filter(({ name }) => allowed.has(name))
    .filter(({ takes, gives }) => [...takes, gives].every((kind) => kinds.has(kind)))
    .filter(({ takes }) => !mixesNumbers(takes))
  return Map.groupBy(ours, ({ name }) => name)
}

/**
 * All possible types of a call's result: none if there is no such overload. Unknown arguments fit
 * everywhere.
 */
export function resultsOf(
  overloads: readonly Overload[],
  method: boolean,
  args: readonly (RuleType | undefined)[],
): RuleType[] {
  const fitting = overloads.filter(
    ({ method: isMethod, takes }) =>
      isMethod === method &&
      takes.length === args.length &&
      takes.every((kind, index) => args[index] === undefined || args[index].kind === kind),
  )
  return [...new Set(fitting.map(({ gives }) => gives))].map((kind) => typeNamed(kind, args))
}

function typeNamed(kind: string, args: readonly (RuleType | undefined)[]): RuleType {
  if (kind === 'string') return textType(charactersMax(args))
  if (kind === 'bool') return BOOL
  return kind === 'int' ? INT : DOUBLE
}

/**
 * A function's text is not longer than all its arguments, and a number not longer than the body.
 */
function charactersMax(args: readonly (RuleType | undefined)[]): number {
  return args.reduce((sum, arg) => sum + (isText(arg) ? arg.charactersMax : TEXT_CHARACTERS_MAX), 0)
}

/** Comparing an int with a double would round the int, and amounts must not lose a digit. */
const mixesNumbers = (takes: readonly string[]): boolean =>
  takes.includes('int') && takes.includes('double')

const nameOf = (type: CelType): string => type.name
