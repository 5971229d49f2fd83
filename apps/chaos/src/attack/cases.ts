import type { AttackTestBed } from './attack-test-bed.ts'
import {
  bytesAfterAnOrder,
  closedHalf,
  manyRequests,
  oneBigPacket,
  silentTls,
  strangeSockets,
} from './network-cases.ts'
import {
  anotherAcquirer,
  hugeAmount,
  ownAddress,
  personalData,
  strangeWords,
} from './order-cases.ts'
import { strangersTexts } from './signing-cases.ts'

/** An attack that succeeded once. */
export type AttackCase = {
  number: number
  title: string
  /** Attacks, and resolves with the faults: none if every promise was kept. */
  attack: (testBed: AttackTestBed) => Promise<string[]>
  /** Whether it mostly waits: then it runs beside the following ones. */
  waits?: true
}

export const cases: readonly AttackCase[] = [
  { number: 1, title: 'what leaves HTTP, or is cut off, ends no process', attack: strangeSockets },
  { number: 2, title: 'no text of a stranger is signed', attack: strangersTexts },
  { number: 4, title: 'who begins TLS and is silent is not kept', attack: silentTls, waits: true },
  { number: 5, title: 'strangers share a budget of signatures', attack: manyRequests },
  { number: 5, title: 'megabytes in one packet take no memory', attack: oneBigPacket },
  { number: 6, title: 'an order belongs to its acquirer', attack: anotherAcquirer },
  { number: 7, title: 'bytes after an order do not change its answer', attack: bytesAfterAnOrder },
  { number: 8, title: 'a caller does not choose its address', attack: ownAddress },
  { number: 9, title: 'what a caller writes reaches no log as it is', attack: strangeWords },
  { number: 10, title: 'jobs and the board hold no code or customer', attack: personalData },
  { number: 11, title: 'a caller that closes its half gets its answer', attack: closedHalf },
  { number: 11, title: 'of an amount of 29,000 digits a counter keeps a few', attack: hugeAmount },
]

export type AttackCaseResult = Pick<AttackCase, 'number' | 'title'> & {
  tookMs: number
  faults: string[]
}

/** Runs one case. An error counts as a fault. */
export async function tryCase(
  { number, title, attack }: AttackCase,
  testBed: AttackTestBed,
): Promise<AttackCaseResult> {
  const startedAt = performance.now()
  const faults = await attack(testBed).catch((error: unknown) => [String(error)])
  return { number, title, tookMs: Math.round(performance.now() - startedAt), faults }
}
