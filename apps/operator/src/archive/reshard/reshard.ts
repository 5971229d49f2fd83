import { exitCode, type Screen } from '../../command-line.ts'
import { counted, shardsUpTo } from './change.ts'
import { connected, obstacles, type Stores } from './obstacles.ts'
import { StepProgress } from './step-progress.ts'
import { POINT_OF_NO_RETURN, type StepName, stepNames, steps } from './steps.ts'

const SHARDS_MAX = 1_024

export type ReshardOptions = {
  to: string
  isDryRun: boolean
  out: Screen
  err: Screen
  /** Called between two steps, for tests. */
  onStep?: (done: StepName) => void
}

/** A change as it is found: `begun` is its last step that was begun. */
type Found = { from: number; to: number; begun: StepName | undefined }

/**
 * Changes the number of shards, with everything stopped. Redis keeps which step was begun, and no
 * process starts until the last one is done, so it may be killed at any point and run again.
 */
export async function reshard(stores: Stores, options: ReshardOptions): Promise<number> {
  const { out, err } = options
  const to = Number(options.to)
  if (!/^[1-9]\d*$/.test(options.to) || to > SHARDS_MAX) {
    err.write(`the number of shards must be a whole number from 1 to ${SHARDS_MAX}\n`)
    return exitCode.usage
  }
  const stored = await stores.store.shardCount.read()
  if (stored === undefined) {
    err.write(`this Redis was not used yet: set SHARDS=${to} and start\n`)
    return exitCode.missed
  }
  const from = stored.shards
  const { resharding } = stored
  if (resharding === undefined && to === from) {
    out.write(`there are ${to} shards: SHARDS must be ${to} everywhere\n`)
    return exitCode.good
  }
  const begun = stepNames.find((name) => name === resharding?.step)
  if (resharding !== undefined && to === from)
    return giveUp(stores, { from, to: resharding.to, begun }, options)
  if (resharding !== undefined && to !== resharding.to) {
    err.write(`the change from ${from} to ${resharding.to} shards was begun: end that one first\n`)
    return exitCode.missed
  }
  return change(stores, { from, to, begun }, options)
}

async function change(stores: Stores, found: Found, options: ReshardOptions): Promise<number> {
  const { from, to, begun } = found
  const { out, err, isDryRun } = options
  const inTheWay = await obstacles(stores, { from, marked: isAt(begun, 'swap') })
  if (isDryRun) await describe(stores, found, out)
  if (inTheWay.length > 0) {
    err.write(`nothing was done: ${inTheWay.join('\nand: ')}\n`)
    return exitCode.missed
  }
  if (isDryRun) return exitCode.good
  await runSteps(stores, found, options)
  out.write(`there are ${to} shards now: set SHARDS=${to} everywhere, and start\n`)
  return exitCode.good
}

async function runSteps(
  { store, archive }: Stores,
  { from, to, begun = 'copy' }: Found,
  { out, onStep }: ReshardOptions,
): Promise<void> {
  const archiveId = (await store.states.of(0))?.archiveId ?? ''
  for (const name of stepNames.slice(stepNames.indexOf(begun))) {
    await store.shardCount.note(from, { to, step: name })
    // Whoever read the number of shards before it was noted is connected by now.
    const others = await connected(store)
    if (others !== undefined) {
      if (name === 'copy') await store.shardCount.note(from, undefined)
      throw new Error(others)
    }
    const progress = new StepProgress(out, name)
    const show = (done: string) => progress.show(done)
    progress.end(await steps[name].run({ store, archive, archiveId, from, to, progress: show }))
    onStep?.(name)
  }
  await store.shardCount.note(to, undefined)
}

/** Whether a change has come to a step. */
const isAt = (begun: StepName | undefined, step: StepName): boolean =>
  begun !== undefined && stepNames.indexOf(begun) >= stepNames.indexOf(step)

/** Up to `move`, everything is as it was, for the number before. */
async function giveUp(
  { store }: Stores,
  { from, to, begun }: Found,
  { out, err, isDryRun }: ReshardOptions,
): Promise<number> {
  if (isAt(begun, POINT_OF_NO_RETURN)) {
    err.write('the change is too far to be given up: end it\n')
    return exitCode.missed
  }
  if (!isDryRun) {
    for (const shard of shardsUpTo(from)) await store.rebuilding.drop(shard)
    for (const shard of shardsUpTo(to).slice(from)) await store.shardKeys.remove(shard)
    await store.shardCount.note(from, undefined)
  }
  out.write(`the change ${isDryRun ? 'would be' : 'is'} given up: there are ${from} shards\n`)
  return exitCode.good
}

/** What the change would do. */
async function describe({ store }: Stores, { from, to, begun }: Found, out: Screen): Promise<void> {
  const counts = { orders: 0, toMove: 0, forgotten: 0 }
  for (const shard of shardsUpTo(from)) {
    const { orders, toMove } = await store.shardKeys.count(shard, to)
    const { filters } = await store.forgetting.stateOf(shard)
    counts.orders += orders
    counts.toMove += toMove
    counts.forgotten += filters.reduce((sum, { count }) => sum + count, 0)
  }
  out.write(
    `from ${from} to ${to} shards, with ${counted(counts.orders, 'orders in Redis')}, ` +
      `${counted(counts.forgotten, 'forgotten before')}, ` +
      `${counted(counts.toMove, 'records to move')}:\n`,
  )
  const left = stepNames.slice(begun === undefined ? 0 : stepNames.indexOf(begun))
  for (const name of left) out.write(`  ${name.padEnd(8)} ${steps[name].does}\n`)
}
