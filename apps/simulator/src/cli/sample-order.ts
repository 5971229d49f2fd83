import { randomInt } from 'node:crypto'
import { z } from 'zod'
import standardOrder from '../../../../config/sample-order.json' with { type: 'json' }
import type { OrderCall } from '../client/call-place-order.ts'
import { readOptionFile } from './caller-options.ts'
import { UsageError } from './command.ts'

/** The order to send: the bytes of the file and, if they are a JSON object, its fields. */
export type SampleOrder = { bytes: Buffer; fields: Record<string, unknown> | undefined }

const Ids = z.object({ acquirerId: z.string(), pspId: z.string(), paymentId: z.string() })

/** Reads a file; without a path, the sample of placeOrder.txt. */
export async function readSample(path: string | undefined): Promise<SampleOrder> {
  if (path === undefined)
    return { bytes: Buffer.from(JSON.stringify(standardOrder, null, 2)), fields: standardOrder }
  const bytes = await readOptionFile('sample', path)
  return { bytes, fields: fieldsOf(bytes) }
}

function fieldsOf(bytes: Buffer): Record<string, unknown> | undefined {
  try {
    return z.record(z.string(), z.unknown()).safeParse(JSON.parse(new TextDecoder().decode(bytes)))
      .data
  } catch {
    return undefined
  }
}

/**
 * The sample's fields with some of them changed.
 *
 * @throws UsageError when the sample is not a JSON object
 */
export function withFields(
  sample: SampleOrder,
  changes: Record<string, unknown>,
): Record<string, unknown> {
  if (sample.fields === undefined)
    throw new UsageError('--sample: is not a JSON object; --keep-payment-id sends it as it is')
  return { ...sample.fields, ...changes }
}

/**
 * The fields with one of them changed, as in `merchant.store.storeName=UGG`; missing objects on
 * that path are created.
 *
 * @throws UsageError when no name stands before a `=`
 */
export function withField(
  fields: Record<string, unknown>,
  change: string,
): Record<string, unknown> {
  const [, path = '', text = ''] = /^([^=]+)=(.*)$/s.exec(change) ?? []
  const [name = '', ...rest] = path.split('.')
  if (name === '') throw new UsageError(`--set ${change}: is not of the form field=text`)
  if (rest.length === 0) return { ...fields, [name]: text }
  const inner = z.record(z.string(), z.unknown()).safeParse(fields[name]).data ?? {}
  return { ...fields, [name]: withField(inner, `${rest.join('.')}=${text}`) }
}

/** The body as it is sent, and the ids an inquiry needs, if the body has them. */
export function orderCall(body: Buffer): OrderCall {
  return { body, ids: Ids.safeParse(fieldsOf(body)).data }
}

/** An unused paymentId in Alipay+'s form: 14 digits of time and 17 random ones. */
export function newPaymentId(now = Date.now()): string {
  const time = new Date(now).toISOString().replaceAll(/\D/g, '').slice(0, 14)
  const random = () => randomInt(1e8).toString().padStart(8, '0')
  return `${time}${random()}${random()}${randomInt(10)}`
}
