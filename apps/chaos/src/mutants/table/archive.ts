import type { Mutant } from '../mutant.ts'

const copyTest: Mutant['test'] = ['apps/archiver', 'src/copy-batch.test.ts']
const entriesTest: Mutant['test'] = ['apps/archiver', 'src/forget-entries.test.ts']
const forgettingTest: Mutant['test'] = ['packages/store', 'src/outbox/forgetting.test.ts']
const forgetterTest: Mutant['test'] = ['apps/archiver', 'src/shard-forgetter.test.ts']
const restoreTest: Mutant['test'] = ['apps/operator', 'src/archive/restore.test.ts']
const forgetEntries = 'apps/archiver/src/forget-entries.ts'
const forget = 'packages/store/src/lua/forget.lua'

/** Copying to the archive, forgetting, and a Redis that went back. */
export const archive: Mutant[] = [
  {
    breaks: 'an archiver acknowledges before PostgreSQL has committed',
    file: 'apps/archiver/src/copy-batch.ts',
    from: '  const written = await archive.write(',
    to: `  await store.outbox.acknowledge(
    shard,
    entries.map(({ id }) => id),
  )
  const written = await archive.write(`,
    test: copyTest,
  },
  {
    breaks: 'the archive names an entry that a failover takes back',
    file: 'apps/archiver/src/copy-batch.ts',
    from: 'last === undefined || outbox.replicated(shard, last, durability),',
    to: 'true,',
    test: copyTest,
  },
  {
    breaks: 'orders are copied to an archive that is older than what was forgotten by it',
    file: 'packages/store/src/outbox/archive-state.ts',
    from: 'Math.max(committed, Number(forgotten ?? 0))',
    to: 'committed',
    test: copyTest,
  },
  {
    breaks: 'an order that the archive has otherwise holds up all later ones',
    file: forgetEntries,
    from: '  here.outcome === there.outcome &&',
    to: '  here.outcome !== there.outcome ||',
    test: entriesTest,
  },
  {
    breaks: 'an order is forgotten that the archive has lost',
    file: forgetEntries,
    from: '  if (lost === undefined) return',
    to: '  return',
    test: entriesTest,
  },
  {
    breaks: 'orders are forgotten as soon as they are archived',
    file: forgetEntries,
    from: 'keepMs + lastKept(order, now)',
    to: 'order.concludedAt',
    test: entriesTest,
  },
  {
    breaks: 'the archive is not compared with Redis before orders are forgotten',
    file: 'apps/archiver/src/shard-forgetter.ts',
    from: 'await archive.compare({ archiveId, shard }, (at) => redisSideOf(shard, at, this.#deps))',
    to: '',
    test: forgetterTest,
  },
  {
    breaks: 'orders are forgotten while PostgreSQL may lose them',
    file: 'apps/archiver/src/shard-forgetter.ts',
    from: "if (settings[name] === 'off')",
    to: "if (settings[name] === '')",
    test: forgetterTest,
  },
  {
    breaks: 'an order is forgotten without a comparison with the archive',
    file: forget,
    from: "if kept[field] ~= ARGV[at + field] then return 'CHANGED' end",
    to: '',
    test: entriesTest,
  },
  {
    breaks: 'an order that contradicts the archive is set aside no more once it is compared',
    file: 'apps/archiver/src/copy-batch.ts',
    from: '.filter((orderId) => !others.has(orderId))',
    to: '',
    test: copyTest,
  },
  {
    breaks: 'an order that was set aside is forgotten',
    file: forget,
    from: 'if not stays and (kept[1]',
    to: 'if (kept[1]',
    test: entriesTest,
  },
  {
    breaks: 'a forgotten order leaves no bits in the filter',
    file: forget,
    from: "redis.call('BITFIELD', KEYS[3 + n], unpack(sets[n]))",
    to: '',
    test: forgettingTest,
  },
  {
    breaks: 'a filter loses a bit of each order',
    file: forget,
    from: 'at + 4 + n * bitsOfOrder do',
    to: 'at + 3 + n * bitsOfOrder do',
    test: forgettingTest,
  },
  {
    breaks: 'a Redis from an older file skips what a newer one was to forget',
    file: 'packages/store/src/lua/forget.lua',
    from: 'forgottenTo == ARGV[6] and ',
    to: '',
    test: forgettingTest,
  },
  {
    breaks: 'one order that was concluded while a clock was ahead keeps all later ones',
    file: forgetEntries,
    from: 'filter((at) => at <= now + AHEAD_MS_MAX)',
    to: 'filter((at) => at !== now)',
    test: entriesTest,
  },
  {
    breaks: 'what an archiver read while a clock was ahead is not taken over',
    file: 'packages/store/src/lua/take-over-ahead.lua',
    from: 'if deliveredAt > now + APART_MS',
    to: 'if false',
    test: ['packages/store', 'src/outbox/outbox.test.ts'],
  },
  {
    breaks: 'orders are forgotten into a filter that is missing',
    file: forget,
    from: "then return 'DAMAGED' end",
    to: 'then break end',
    test: forgettingTest,
  },
  {
    breaks: 'the outbox is trimmed below what is not forgotten yet',
    file: 'packages/store/src/lua/trim-outbox.lua',
    from: 'if known[2] and (not needed or isBefore(known[2], needed)) then needed = known[2] end',
    to: '',
    test: forgettingTest,
  },
  {
    breaks: 'a Redis that went back is used as if it had not',
    file: 'packages/archive/src/redis-watch.ts',
    from: "if (known instanceof RedisWentBack) this.#enter('went-back', known.message)",
    to: "if (known instanceof RedisWentBack) this.#enter('passed', undefined)",
    test: ['packages/archive', 'src/redis-watch.test.ts'],
  },
  {
    breaks: 'a worker decides by an older Redis',
    file: 'apps/worker/src/main.ts',
    from: '    await watched.passed(group.signal, group.shard)\n',
    to: '',
    test: ['apps/worker', 'test/redis-went-back.test.ts'],
  },
  {
    breaks: 'an import does not keep the holder of a code that is valid for longer now',
    file: 'packages/store/src/decide/directory.ts',
    from: '    await this.#holders.keep(codes)\n',
    to: '',
    test: ['packages/store', 'src/decide/code-holders.test.ts'],
  },
  {
    breaks: 'what is forgotten during a rebuild is in the old filters alone',
    file: 'packages/store/src/outbox/forgetting.ts',
    from: '    const written = filterLists.flatMap((list) => {',
    to: '    const written = filterLists.slice(0, 1).flatMap((list) => {',
    test: ['packages/store', 'src/outbox/rebuilding.test.ts'],
  },
  {
    breaks: 'a rebuild believes an archive that is behind',
    file: 'apps/operator/src/archive/rebuild.ts',
    from: 'if ((stands?.version ?? -1) < needed)',
    to: 'if (needed < 0)',
    test: restoreTest,
  },
  {
    breaks: 'a restore leaves revived orders open',
    file: 'packages/store/src/lua/restore.lua',
    from: "redis.call('HSET', KEYS[i], 'outcome', outcome, 'concludedAt', concludedAt)",
    to: '',
    test: restoreTest,
  },
  {
    breaks: 'a restore leaves out what Redis has lost',
    file: 'packages/store/src/lua/restore.lua',
    from: "redis.call('BITFIELD', KEYS[4], unpack(sets))",
    to: '{}',
    test: restoreTest,
  },
  {
    breaks: 'after a restore, an archive that is older than it was is believed',
    file: 'packages/store/src/lua/restore.lua',
    from: "redis.call('HSET', KEYS[1], 'forgottenVersion', ARGV[3])",
    to: '',
    test: restoreTest,
  },
  {
    breaks: 'archive off does not wait for the batch that is being written',
    file: 'apps/operator/src/archive/switch.ts',
    from: 'await archive.settledShards(archiveId)',
    to: 'await archive.shards(archiveId)',
    test: ['apps/operator', 'src/archive/command.test.ts'],
  },
]
