/**
 * The types of values in risk rules. Texts and lists have their largest size, which bounds the time
 * of a rule.
 */
export type RuleType = Scalar | TextType | ListType | MapType | RecordType

type Scalar = { readonly kind: 'bool' | 'double' } | IntType
/** `absent` is the value of an absent optional number. */
export type IntType = { readonly kind: 'int'; readonly absent?: bigint }
export type TextType = { readonly kind: 'string'; readonly charactersMax: number }
/** Without an element type: the empty list, which is a list of anything. */
export type ListType = {
  readonly kind: 'list'
  readonly element: RuleType | undefined
  readonly sizeMax: number
}
export type MapType = {
  readonly kind: 'map'
  readonly key: RuleType | undefined
  readonly value: RuleType | undefined
  readonly sizeMax: number
}
/** An object with known fields. Rules read its fields; the object itself is not a value. */
export type RecordType = {
  readonly kind: 'record'
  readonly fields: Readonly<Record<string, RuleType>>
}

export const BOOL: RuleType = { kind: 'bool' }
export const INT: IntType = { kind: 'int' }
export const DOUBLE: RuleType = { kind: 'double' }
export const textType = (charactersMax: number): TextType => ({ kind: 'string', charactersMax })
export const listType = (element: RuleType | undefined, sizeMax: number): ListType => ({
  kind: 'list',
  element,
  sizeMax,
})

/** The name of a type for messages. */
export function described(type: RuleType): string {
  if (type.kind === 'list')
    return type.element === undefined ? 'list' : `list of ${described(type.element)}`
  if (type.kind === 'record') return 'object'
  return type.kind
}

/** The common type of two types; undefined if there is none. An unknown one fits any. */
export function commonType(
  one: RuleType | undefined,
  other: RuleType | undefined,
): RuleType | undefined {
  if (one === undefined || other === undefined) return one ?? other
  if (one.kind === 'string' && other.kind === 'string') {
    return textType(Math.max(one.charactersMax, other.charactersMax))
  }
  if (one.kind === 'list' && other.kind === 'list') {
    return fitTogether(one.element, other.element)
      ? listType(commonType(one.element, other.element), Math.max(one.sizeMax, other.sizeMax))
      : undefined
  }
  if (one.kind === 'map' && other.kind === 'map') {
    if (!fitTogether(one.key, other.key) || !fitTogether(one.value, other.value)) return undefined
    const sizeMax = Math.max(one.sizeMax, other.sizeMax)
    return {
      kind: 'map',
      key: commonType(one.key, other.key),
      value: commonType(one.value, other.value),
      sizeMax,
    }
  }
  if (one.kind === 'record' || other.kind === 'record') return one === other ? one : undefined
  return one.kind === other.kind ? one : undefined
}

/** Whether two types have a common type; an unknown one (of an empty list) fits any. */
export function fitTogether(one: RuleType | undefined, other: RuleType | undefined): boolean {
  return one === undefined || other === undefined || commonType(one, other) !== undefined
}

export const isText = (type: RuleType | undefined): type is TextType => type?.kind === 'string'
