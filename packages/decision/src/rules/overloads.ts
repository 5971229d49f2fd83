import { type CelEnv, CelScalar, type CelType, celEnv, celFunc } from '@bufbuild/cel'
import { RE2JS } from '@bufbuild/re2'
import { BOOL, DOUBLE, INT, isText, type RuleType, textType } from './type.ts'

/** One way to call a function: the kinds it takes and the kind it gives. */
export type Overload = {
  readonly method: boolean
  readonly takes: readonly string[]
  readonly gives: string
}

export type Overloads = ReadonlyMap<string, readonly Overload[]>

/** What rules may call by these names, in every overload the library has over the types that rules have. */
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
/** A pattern costs a step for each of its characters and each it reads: linear, so it can be said beforehand. */
export const PATTERN_CHARACTERS_MAX = 200

/** Text whose length nothing bounds more tightly: an amount of 64 KiB of digits, say. */
const TEXT_CHARACTERS_MAX = 65_536

/**
 * The library's environment for rules. Patterns are RE2, linear in the text they read; each is compiled once,
 * because the library would compile it for every order.
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

/** The library makes NaN of a text that is no number, which is never above anything; a rule must not pass by that. */
const doubleOfText = celFunc('double', [CelScalar.STRING], CelScalar.DOUBLE, (text) => {
  const value = Number(text)
  if (Number.isNaN(value)) throw new Error('not a number')
  return value
})

/** Reads the library's own declarations, so that a rule is checked against exactly what will be called. */
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

/** Every kind that the call can give: none where there is no such call. Unknown arguments fit everywhere. */
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

/** No text a function makes is longer than all it was made from, and a number is as long as the body at most. */
function charactersMax(args: readonly (RuleType | undefined)[]): number {
  return args.reduce((sum, arg) => sum + (isText(arg) ? arg.charactersMax : TEXT_CHARACTERS_MAX), 0)
}

/** Comparing an int with a double rounds the int, and amounts must not lose a digit: rules write whole numbers. */
const mixesNumbers = (takes: readonly string[]): boolean =>
  takes.includes('int') && takes.includes('double')

const nameOf = (type: CelType): string => type.name
