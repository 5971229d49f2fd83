import { randomInt } from 'node:crypto'
import { z } from 'zod'
import { UsageError } from '../cli/command.ts'
import type { LoadKind, PlannedRequest } from './mix.ts'

/** Generates the bodies of a run; they are generated again when needed, so none is stored. */
export type OrderTemplate = {
  fields: Record<string, unknown>
  /** The prefix of every paymentId and customerId, so that runs do not share orders or limits. */
  run: string
  /** How many different customerIds the orders have. */
  customers: number
}

const Needed = z.object({
  acquirerId: z.string(),
  pspId: z.string(),
  paymentAmount: z.object({ value: z.string().regex(/^\d+$/), currency: z.string() }),
})

/**
 * Makes the sample order the template of a run.
 *
 * @throws UsageError when the sample lacks a field that varies
 */
export function openTemplate(
  fields: Record<string, unknown> | undefined,
  customers: number,
): OrderTemplate {
  const needed = Needed.safeParse(fields)
  if (!needed.success || fields === undefined) {
    throw new UsageError('--sample: load needs an order with acquirerId, pspId and paymentAmount')
  }
  const time = new Date().toISOString().replaceAll(/\D/g, '').slice(2, 14)
  const run = `${time}${randomInt(1e4).toString().padStart(4, '0')}`
  return { fields, run, customers }
}

/** 16 digits for the run and 9 for the order. */
export const paymentIdOf = ({ run }: Pick<OrderTemplate, 'run'>, order: number): string =>
  `${run}${order.toString().padStart(9, '0')}`

/** The ids of an order, as an inquiry needs them. */
export function orderIds(template: OrderTemplate, order: number) {
  const { acquirerId, pspId } = Needed.parse(template.fields)
  return { acquirerId, pspId, paymentId: paymentIdOf(template, order) }
}

/**
 * The body of a request: always the same bytes for an order; `inconsistent` has a higher amount.
 */
export function requestBody(template: OrderTemplate, { kind, order }: PlannedRequest): Buffer {
  return Buffer.from(
    JSON.stringify(kind === 'inquiry' ? orderIds(template, order) : orderOf(template, kind, order)),
  )
}

function orderOf(
  template: OrderTemplate,
  kind: Exclude<LoadKind, 'inquiry'>,
  order: number,
): Record<string, unknown> {
  const { fields, run, customers } = template
  const one = {
    ...fields,
    paymentId: paymentIdOf(template, order),
    ...(fields.customerId === undefined ? {} : { customerId: `${run}${order % customers}` }),
  }
  if (kind !== 'inconsistent') return one
  const { paymentAmount } = Needed.parse(fields)
  return {
    ...one,
    paymentAmount: { ...paymentAmount, value: `${BigInt(paymentAmount.value) + 1n}` },
  }
}
