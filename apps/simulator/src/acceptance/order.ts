import { z } from 'zod'
import { isObject } from './fixtures.ts'
import { UnmetPrecondition } from './precondition.ts'

/** The fields of a message; a case may break any rule in them. */
export type Fields = Record<string, unknown>

/** Returns changed fields, and leaves the given ones unchanged. */
export type Change = (fields: Fields) => Fields

/** Sets the value at a path such as `merchant.store.storeName`, and creates missing objects. */
export function set(path: string, value: unknown): Change {
  return (fields) =>
    at(fields, path.split('.'), (_old, name, owner) => ({ ...owner, [name]: value }))
}

/** Removes the field at a path. */
export function without(path: string): Change {
  return (fields) =>
    at(fields, path.split('.'), (_old, name, owner) => {
      const { [name]: _removed, ...rest } = owner
      return rest
    })
}

type Edit = (old: unknown, name: string, owner: Fields) => Fields

function at(fields: Fields, [name = '', ...deeper]: string[], edit: Edit): Fields {
  if (deeper.length === 0) return edit(fields[name], name, fields)
  const inner = fields[name]
  return { ...fields, [name]: at(isObject(inner) ? inner : {}, deeper, edit) }
}

/** Several changes, one after the other. */
export const changed = (fields: Fields, ...changes: readonly Change[]): Fields =>
  changes.reduce((now, change) => change(now), fields)

const Money = z.object({ value: z.string().regex(/^\d+$/), currency: z.string() })

/**
 * The amount at a path, and one smallest unit more.
 *
 * @throws UnmetPrecondition when the sample has no amount there
 */
export function amountIn(fields: Fields, name: 'paymentAmount' | 'settlementAmount') {
  const amount = Money.safeParse(fields[name])
  if (!amount.success) throw new UnmetPrecondition(`the sample's ${name} is not an amount`)
  const { value, currency } = amount.data
  return { value, currency, more: { value: `${BigInt(value) + 1n}`, currency } }
}

/** Sets both amounts to the same value. */
export const amounts = (value: string, currency: string): Change => {
  const amount = { value, currency }
  return (fields) => ({ ...fields, paymentAmount: amount, settlementAmount: amount })
}

export const bytesOf = (fields: Fields | Buffer): Buffer =>
  Buffer.isBuffer(fields) ? fields : Buffer.from(JSON.stringify(fields))
