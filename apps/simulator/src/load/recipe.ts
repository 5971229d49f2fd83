import { randomInt } from 'node:crypto'
import { z } from 'zod'
import { UsageError } from '../cli/command.ts'
import type { Kind, Planned } from './mix.ts'

/** How the bodies of a run are made: they can be made again at any time, so nothing is kept of them. */
export type Recipe = {
  fields: Record<string, unknown>
  /** Begins every paymentId and customerId, so that runs do not meet each other's orders or limits. */
  run: string
  /** How many customers the orders are spread over. */
  customers: number
}

const Needed = z.object({
  acquirerId: z.string(),
  pspId: z.string(),
  paymentAmount: z.object({ value: z.string().regex(/^\d+$/), currency: z.string() }),
})

/**
 * Takes the sample order as the model of all.
 *
 * @throws UsageError when it lacks what is varied
 */
export function openRecipe(fields: Record<string, unknown> | undefined, customers: number): Recipe {
  const needed = Needed.safeParse(fields)
  if (!needed.success || fields === undefined) {
    throw new UsageError('--sample: load needs an order with acquirerId, pspId and paymentAmount')
  }
  const run = `${new Date().toISOString().replaceAll(/\D/g, '').slice(2, 14)}${randomInt(1e4).toString().padStart(4, '0')}`
  return { fields, run, customers }
}

/** 16 digits of the run and 9 of the order. */
export const paymentIdOf = ({ run }: Pick<Recipe, 'run'>, order: number): string =>
  `${run}${order.toString().padStart(9, '0')}`

/** The ids of an order, as an inquiry needs them. */
export function idsOf(recipe: Recipe, order: number) {
  const { acquirerId, pspId } = Needed.parse(recipe.fields)
  return { acquirerId, pspId, paymentId: paymentIdOf(recipe, order) }
}

/** The body of a request. The same order has the same bytes whenever it is asked for; `inconsistent` asks for more money. */
export function bodyOf(recipe: Recipe, { kind, order }: Planned): Buffer {
  return Buffer.from(
    JSON.stringify(kind === 'inquiry' ? idsOf(recipe, order) : orderOf(recipe, kind, order)),
  )
}

function orderOf(
  recipe: Recipe,
  kind: Exclude<Kind, 'inquiry'>,
  order: number,
): Record<string, unknown> {
  const { fields, run, customers } = recipe
  const one = {
    ...fields,
    paymentId: paymentIdOf(recipe, order),
    ...(fields.customerId === undefined ? {} : { customerId: `${run}${order % customers}` }),
  }
  if (kind !== 'inconsistent') return one
  const { paymentAmount } = Needed.parse(fields)
  return {
    ...one,
    paymentAmount: { ...paymentAmount, value: `${BigInt(paymentAmount.value) + 1n}` },
  }
}
