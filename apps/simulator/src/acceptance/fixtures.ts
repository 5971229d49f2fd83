import { z } from 'zod'
import { readOptionFile } from '../cli/caller-options.ts'
import { UsageError } from '../cli/command.ts'

/** Result codes that need a certain state of the acquirer. */
export const stateCodes = [
  'BUSINESS_NOT_SUPPORT',
  'EXPIRED_CODE',
  'INVALID_CONTRACT',
  'INVALID_MERCHANT_STATUS',
  'MERCHANT_KYB_NOT_QUALIFIED',
  'ORDER_IS_CLOSED',
  'PAYMENT_AMOUNT_EXCEED_LIMIT',
  'PAYMENT_COUNT_EXCEED_LIMIT',
  'PROCESS_FAIL',
  'RISK_REJECT',
] as const

/**
 * Other states: an order settled in another currency, named by the acquirer, or open for a while.
 */
const specialOrders = ['settlement', 'paymentRequestId', 'pending'] as const

export type FixtureName = (typeof stateCodes)[number] | (typeof specialOrders)[number]

/** An order that meets a certain state of the acquirer, as a change of the sample. */
export const Fixture = z.strictObject({
  /** A merge patch (RFC 7396) on the sample: objects are merged, null removes a field. */
  order: z.record(z.string(), z.unknown()),
  /** How many such orders are placed before the state is reached, as with a limit. */
  after: z.int().min(0).max(100).default(0),
})
export type Fixture = z.output<typeof Fixture>

const names: readonly FixtureName[] = [...stateCodes, ...specialOrders]

/** The fixtures file: an order for each state that the acquirer can offer. */
const FixturesFile = z.partialRecord(z.enum(names), Fixture)
export type Fixtures = z.output<typeof FixturesFile>

/**
 * Reads the fixtures file; without one there are none.
 *
 * @throws UsageError that names every error in the file
 */
export async function readFixtures(path: string | undefined): Promise<Fixtures> {
  if (path === undefined) return {}
  const parsed = FixturesFile.safeParse(
    jsonOf(path, new TextDecoder().decode(await readOptionFile('fixtures', path))),
  )
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.map(
    (issue) => `${issue.path.join('.') || 'file'}: ${issue.message}`,
  )
  throw new UsageError(`--fixtures ${path}: ${faults.join('; ')}`)
}

function jsonOf(path: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new UsageError(`--fixtures ${path}: is not JSON`, { cause })
  }
}

/** Applies a merge patch (RFC 7396): objects are merged, null removes, anything else replaces. */
export function patched(
  target: Record<string, unknown>,
  patch: Record<string, unknown>,
): Record<string, unknown> {
  const merged = { ...target }
  for (const [name, value] of Object.entries(patch)) {
    const old = merged[name]
    if (value === null) delete merged[name]
    else merged[name] = isObject(value) ? patched(isObject(old) ? old : {}, value) : value
  }
  return merged
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
