import { Random } from '../random.ts'
import { rawShot } from './raw-shots.ts'
import type { Placed, Shot } from './shot.ts'
import type { ShotSigner } from './signed-bytes.ts'
import { structureShot } from './structure-shots.ts'

/**
 * The share of connections that are a client's, with structures inside. The others are anybody's.
 */
const STRUCTURES = 0.15

/**
 * The shot that has this number under this seed. In every run it is the same, byte for byte and
 * piece for piece, but for the times and signatures in it.
 */
export function numberedShot(
  seed: number,
  number: number,
  { signing, pool }: { signing: ShotSigner; pool: readonly Placed[] },
): Shot {
  const random = new Random(seed).fork(number)
  return random.chance(STRUCTURES) ? structureShot(random, signing) : rawShot(random, pool)
}
