import { z } from 'zod'
import { readNamed } from '../cli/caller-options.ts'
import { UsageError } from '../cli/command.ts'

/** Result codes that only an acquirer in a certain state gives. */
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

/** Orders that are more than refused: paid in another currency, named by the acquirer, or open for a while. */
const specialOrders = ['settlement', 'paymentRequestId', 'pending'] as const

export type FixtureName = (typeof stateCodes)[number] | (typeof specialOrders)[number]

/** An order that meets a certain state at the acquirer, as a change of the sample. */
export const Fixture = z.strictObject({
  /** A merge patch (RFC 7396) on the sample: objects are merged, null takes a field away. */
  order: z.record(z.string(), z.unknown()),
  /** How many such orders may be placed before the state is there, as with a limit. */
  after: z.int().min(0).max(100).default(0),
})
export type Fixture = z.output<typeof Fixture>

const names: readonly FixtureName[] = [...stateCodes, ...specialOrders]

/** The fixtures file: what the engineer at the acquirer knows of its state. */
const FixturesFile = z.partialRecord(z.enum(names), Fixture)
export type Fixtures = z.output<typeof FixturesFile>

/**
 * Reads the fixtures file; without one there are none.
 *
 * @throws UsageError naming every fault of the file
 */
export async function readFixtures(path: string | undefined): Promise<Fixtures> {
  if (path === undefined) return {}
  const parsed = FixturesFile.safeParse(
    jsonOf(path, new TextDecoder().decode(await readNamed('fixtures', path))),
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

/** A merge patch (RFC 7396) applied: objects are merged, null takes away, anything else replaces. */
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
