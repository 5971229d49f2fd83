import type { AcceptanceCase } from '../case.ts'
import { amountCases } from './amounts.ts'
import { answerCases, inTime } from './answers.ts'
import { codes } from './codes.ts'
import { connections } from './connections.ts'
import { fields } from './fields.ts'
import { headerCases } from './headers.ts'
import { idempotency } from './idempotency.ts'
import { innerFields } from './inner-fields.ts'
import { inquiry } from './inquiry.ts'
import { pending } from './pending.ts'
import { signature } from './signature.ts'
import { states } from './states.ts'
import { structure } from './structure.ts'

/** The longest permitted time to an answer, in ms: most callers wait no longer (PROTOCOL.md). */
export const ANSWER_WITHIN_MS = 5_000

/** Every case, chapter by chapter. */
export const allCases = (answerWithinMs = ANSWER_WITHIN_MS): readonly AcceptanceCase[] => [
  ...structure,
  ...fields,
  ...innerFields,
  ...amountCases,
  ...signature,
  ...headerCases,
  ...codes,
  ...states,
  ...idempotency,
  ...pending,
  ...connections,
  ...inquiry,
  ...answerCases,
  inTime(answerWithinMs),
]
