import { ConfigFault } from '@placeorder/config'
import { type RedisAddress, reportOn } from '@placeorder/store'

/**
 * Refuses a Redis that is not durable, unless DURABILITY=relaxed.
 *
 * @throws ConfigFault with what to set in Redis, and how to accept it as it is
 */
export async function demandDurable(
  address: RedisAddress,
  { SHARDS, DURABILITY }: { SHARDS: number; DURABILITY: 'strict' | 'relaxed' },
): Promise<void> {
  const { faults } = await reportOn(address, SHARDS)
  if (DURABILITY === 'relaxed' || faults.length === 0) return
  throw new ConfigFault([
    ...faults.map((fault) => `REDIS_URL: this Redis may lose orders: ${fault}`),
    'or accept that orders may be lost: DURABILITY=relaxed npm start',
  ])
}
