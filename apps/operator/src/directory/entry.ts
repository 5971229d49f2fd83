import { CodeRecord, MerchantRecord } from '@placeorder/decision'

/** One merchant or code of a file, or why it cannot be used. `where` is the place in the file. */
export type Entry =
  | { where: string; merchant: MerchantRecord }
  | { where: string; code: CodeRecord }
  | { where: string; fault: string }

type Kind = 'merchant' | 'code'

/**
 * Parses one record. Without a `kind`, the record itself says what it is: by the name around it, or
 * by having a codeValue.
 */
export function entryOf(where: string, value: unknown, kind?: Kind): Entry {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { where, fault: 'is not an object' }
  if (kind === undefined) {
    if ('merchant' in value) return entryOf(where, value.merchant, 'merchant')
    if ('code' in value) return entryOf(where, value.code, 'code')
    return entryOf(where, value, 'codeValue' in value ? 'code' : 'merchant')
  }
  const read = kind === 'merchant' ? MerchantRecord.safeParse(value) : CodeRecord.safeParse(value)
  if (!read.success) {
    const faults = read.error.issues.map(({ path, message }) =>
      [path.join('.'), message].filter(Boolean).join(': '),
    )
    return { where, fault: faults.join('; ') }
  }
  return 'codeValue' in read.data ? { where, code: read.data } : { where, merchant: read.data }
}
