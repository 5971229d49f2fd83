import { afterEach, describe, expect, test, vi } from 'vitest'
import { RedisWentBack } from './archive-fault.ts'
import type { ShardStands } from './open-archive.ts'
import { RedisWatch, type RedisWatchDeps } from './redis-watch.ts'

const archiveId = '00000000-0000-4000-8000-000000000001'
const stands: ShardStands = {
  ...{ archiveId, shard: 0, version: 7 },
  ...{ archivedTo: '5-0', archivedEntry: 'digest' },
}
const entry = { id: '5-0', digest: 'digest' }
const known = { archiveId, archivedTo: '5-0', isOff: false }

const ends: (() => Promise<void>)[] = []
afterEach(async () => void (await Promise.all(ends.splice(0).map((end) => end()))))

/**
 * Watches a Redis that has this state and this entry; both may be changed. `instead` answers in
 * place of them.
 */
function watching(
  given: { state?: typeof known | undefined; entry?: typeof entry | undefined },
  instead: Partial<RedisWatchDeps['redis']> = {},
) {
  const redis = { state: known, entry, shards: [stands], ...given } as {
    state: Awaited<ReturnType<RedisWatchDeps['redis']['state']>>
    entry: typeof entry | undefined
    shards: ShardStands[] | Error | 'silent'
  }
  const changes: (string | undefined)[] = []
  let unknown = 0
  const watch = new RedisWatch(0, {
    archive: {
      shards: async () => {
        if (redis.shards === 'silent') return new Promise(() => {})
        if (redis.shards instanceof Error) throw redis.shards
        return redis.shards
      },
    },
    redis: {
      ...{ shards: 1, state: async () => redis.state, entryAt: async () => redis.entry },
      ...instead,
    },
    onChange: (reason) => changes.push(reason),
    onUnknown: () => {
      unknown += 1
    },
  })
  const stop = new AbortController()
  const running = watch.run(stop.signal)
  ends.push(() => {
    stop.abort()
    return running
  })
  return { watch, redis, changes, unknown: () => unknown }
}

const soon = AbortSignal.timeout(20_000)

test('a Redis that has the entry that the archive names passes', async () => {
  const { watch, changes } = watching({})
  await watch.passed(soon)
  watch.demandPassed()
  expect(changes).toEqual([])
})

describe('Redis went back if', () => {
  test.each([
    ['the entry is missing', { entry: undefined }, 'not in Redis'],
    ['the entry is another', { entry: { id: '5-0', digest: 'x' } }, 'another one in Redis'],
    ['it knows no archive', { state: undefined }, 'this Redis knows none'],
    [
      'copying is off, and it names an older entry',
      { state: { ...known, archivedTo: '4-0', isOff: true }, entry: undefined },
      'not in Redis',
    ],
  ])('%s', async (_, given, reason) => {
    const { watch, changes } = watching(given)
    await vi.waitFor(() => expect(changes).toEqual([expect.stringContaining(reason)]))
    expect(() => watch.demandPassed()).toThrow(RedisWentBack)
  })
})

test.each([
  ['that was trimmed since a lagging replica had it', { entry: undefined }, '6-0'],
  ['of an archive that has nothing yet', { entry: undefined }, undefined],
])('an entry %s proves nothing', async (_, given, archivedTo) => {
  const { watch, redis } = watching({ ...given, state: { ...known, archivedTo: '6-0' } })
  redis.shards = [{ ...stands, archivedTo: archivedTo === undefined ? undefined : '5-0' }]
  await watch.passed(soon)
})

test('an entry that both name may be missing once copying is switched off', async () => {
  const { watch } = watching({ state: { ...known, isOff: true }, entry: undefined })
  await watch.passed(soon)
})

test('after a lost connection Redis is not used until it is compared again', async () => {
  const { watch, redis } = watching({})
  await watch.passed(soon)
  redis.entry = undefined
  watch.lost()
  expect(() => watch.demandPassed()).toThrow('not compared')
  await vi.waitFor(() => expect(() => watch.demandPassed()).toThrow(RedisWentBack))
})

test('a Redis that was restored passes again', async () => {
  const { watch, redis, changes } = watching({ entry: undefined })
  await vi.waitFor(() => expect(changes).toHaveLength(1))
  redis.entry = entry
  watch.lost()
  await watch.passed(soon)
  expect(changes).toEqual([expect.any(String), undefined])
})

test.each([
  ['is silent', 'silent' as const],
  ['refuses', new Error('ECONNREFUSED')],
])('an archive that %s keeps nobody from using Redis', async (_, shards) => {
  const { watch, redis, unknown } = watching({})
  redis.shards = shards
  await watch.passed(soon)
  expect(unknown()).toBeGreaterThan(0)
})

test('losing connections stops nobody while the archive is silent', async () => {
  const { watch, redis } = watching({})
  redis.shards = 'silent'
  const losing = setInterval(() => watch.lost(), 100)
  await watch.passed(soon).finally(() => clearInterval(losing))
})

test('a question that Redis never answers is asked again', async () => {
  let asked = 0
  const { watch } = watching(
    {},
    {
      state: () => {
        asked += 1
        return asked === 1 ? new Promise(() => {}) : Promise.resolve(known)
      },
    },
  )
  await watch.passed(soon)
})

test('a Redis that went back stays unused while the archive is silent', async () => {
  const { watch, redis, changes, unknown } = watching({ entry: undefined })
  await vi.waitFor(() => expect(changes).toHaveLength(1))
  redis.shards = 'silent'
  watch.lost()
  await vi.waitFor(() => expect(() => watch.demandPassed()).toThrow(RedisWentBack))
  expect(unknown()).toBe(0)
})

test('a shard passes while another one is away', async () => {
  const { watch } = watching(
    {},
    {
      shards: 2,
      state: async (shard) => {
        if (shard === 1) throw new Error('ECONNREFUSED')
        return known
      },
    },
  )
  await watch.passed(soon)
})

test('whoever waits stops waiting at its signal', async () => {
  const { watch, changes } = watching({ entry: undefined })
  await vi.waitFor(() => expect(changes).toHaveLength(1))
  await expect(watch.passed(AbortSignal.abort(new Error('late')))).rejects.toThrow('late')
})
