import { setTimeout as wait } from 'node:timers/promises'
import { Redis } from 'ioredis'

/** Keys moved in one command, by default: few, so that a slot stays half moved for a while. */
const KEYS_AT_ONCE = 20
const MIGRATE_MS_MAX = 5_000

/** For how long a step is tried again (ms): a node may be restarting. */
const STEP_MS_MAX = 30_000

export type SlotMigration = {
  /** The ports of the Cluster's masters, on this machine. */
  ports: readonly number[]
  /** A key of the slot; its hash tag decides. */
  key: string
  /** The port of the master that gets the slot. */
  to: number
  /** So many keys are moved in one command. */
  keysAtOnce?: number
  /** Called between two batches of keys, while the slot is half moved. */
  between?: () => Promise<void>
}

/** Moves a slot from the master that has it to another, as `redis-cli --cluster reshard` does. */
export async function migrateSlot(options: SlotMigration): Promise<void> {
  const { ports, key, to, keysAtOnce = KEYS_AT_ONCE, between = async () => {} } = options
  const slot = Number(await command(to, 'CLUSTER', 'KEYSLOT', key))
  const from = await ownerOf(to, slot)
  if (from === to) return
  const [fromId, toId] = [
    await command(from, 'CLUSTER', 'MYID'),
    await command(to, 'CLUSTER', 'MYID'),
  ]
  await command(to, 'CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId)
  await command(from, 'CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId)
  for (;;) {
    const keys = await command(from, 'CLUSTER', 'GETKEYSINSLOT', slot, keysAtOnce)
    if (!Array.isArray(keys) || keys.length === 0) break
    // Without REPLACE: a key that is there already would be a fault of ours.
    await command(from, 'MIGRATE', '127.0.0.1', to, '', 0, MIGRATE_MS_MAX, 'KEYS', ...keys)
    await between()
  }
  const others = ports.filter((port) => port !== to && port !== from)
  for (const port of [to, from, ...others])
    await command(port, 'CLUSTER', 'SETSLOT', slot, 'NODE', toId)
}

/** The port of the master that has a slot. */
async function ownerOf(asked: number, slot: number): Promise<number> {
  const ranges = await command(asked, 'CLUSTER', 'SLOTS')
  for (const range of Array.isArray(ranges) ? ranges : []) {
    const [first, last, master] = range
    if (first <= slot && slot <= last) return Number(master[1])
  }
  throw new Error(`no master has slot ${slot}`)
}

/** Sends one command to one node, and again while the node is not there. */
async function command(port: number, name: string, ...args: unknown[]): Promise<unknown> {
  const deadline = performance.now() + STEP_MS_MAX
  for (;;) {
    const connection = new Redis({
      port,
      host: '127.0.0.1',
      lazyConnect: true,
      retryStrategy: () => null,
      commandTimeout: 2 * MIGRATE_MS_MAX,
    })
    connection.on('error', () => {}) // The command that fails says so.
    try {
      await connection.connect()
      return await connection.call(name, ...args.map(String))
    } catch (error) {
      if (performance.now() > deadline) throw error
      await wait(100)
    } finally {
      connection.disconnect()
    }
  }
}
