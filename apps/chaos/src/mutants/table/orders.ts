import type { Mutant } from '../mutant.ts'

const claim = 'packages/store/src/lua/claim.lua'
const conclude = 'packages/store/src/lua/conclude.lua'
const durability = 'packages/store/src/redis/durability.ts'
const intakeTest: Mutant['test'] = ['packages/store', 'src/intake/intake.test.ts']
const ordersTest: Mutant['test'] = ['packages/store', 'src/orders/orders.test.ts']
const jobRoundsTest: Mutant['test'] = ['packages/store', 'src/queue/job-rounds.test.ts']
const fenceTest: Mutant['test'] = ['packages/store', 'src/redis/durability.test.ts']

/** Claims, outcomes, announcements, rounds and the fence of replicas. */
export const orders: Mutant[] = [
  {
    breaks: 'a repeat with other terms is taken for the same order',
    file: claim,
    from: 'if kept[1] ~= terms then',
    to: 'if false then',
    test: intakeTest,
  },
  {
    breaks: 'a repeat of a concluded order is answered as if it were open',
    file: claim,
    from: 'elseif kept[3] then',
    to: 'elseif false then',
    test: intakeTest,
  },
  {
    breaks: 'a second ingress that waits for an order is not announced its outcome',
    file: claim,
    from: "kept[5] .. ' ' .. channel or channel",
    to: 'kept[5] or channel',
    test: ['packages/store', 'src/orders/orders.test.ts'],
  },
  {
    breaks: 'joined orders are missing from the open set',
    file: claim,
    from: "  redis.call('ZADD', KEYS[1], unpack(opened))\n",
    to: "  if not toJoin then redis.call('ZADD', KEYS[1], unpack(opened)) end\n",
    test: jobRoundsTest,
  },
  {
    breaks: 'a later outcome is given where the first stands',
    file: conclude,
    from: 'standing[n] = kept[1]',
    to: 'standing[n] = outcome',
    test: ordersTest,
  },
  {
    breaks: 'concluded orders stay open',
    file: conclude,
    from: "if #closed > 0 then redis.call('ZREM'",
    to: "if false then redis.call('ZREM'",
    test: ordersTest,
  },
  {
    breaks: 'outcomes are not announced',
    file: conclude,
    from: 'for channel, message in pairs(messages) do',
    to: 'for channel, message in pairs({}) do',
    test: ordersTest,
  },
  {
    breaks: 'a worker forgets what joined its job before it was done with it',
    file: 'packages/store/src/lua/drain-joined.lua',
    from: "redis.call('LTRIM', KEYS[2], ARGV[2], -1)",
    to: "redis.call('DEL', KEYS[2])",
    test: jobRoundsTest,
  },
  {
    breaks: 'what joined a job that failed is forgotten',
    file: 'packages/store/src/queue/job-rounds.ts',
    from: "ofJoined.every(({ status }) => status === 'fulfilled')",
    to: 'ofJoined.every(() => true)',
    test: jobRoundsTest,
  },
  {
    breaks: 'a round ends though one of its orders is not concluded',
    file: 'apps/worker/src/decide-part.ts',
    from: 'isWhole ? group.roundEnd : undefined',
    to: 'group.roundEnd',
    test: ['apps/worker', 'src/process-group.test.ts'],
  },
  {
    breaks: 'a slow round ends its job, which has gone on without it',
    file: 'packages/store/src/queue/job-rounds.ts',
    from: 'this.#isOver = true',
    to: 'this.#isOver = false',
    test: ['packages/store', 'src/queue/round-end.test.ts'],
  },
  {
    breaks: 'replicas are not waited for',
    file: durability,
    from: 'replicas[1]) >= this.#replicasMin',
    to: 'replicas[1]) >= 0',
    test: fenceTest,
  },
  {
    breaks: 'an order that the new master does not know passes the fence',
    file: durability,
    from: 'stored.terms !== null &&',
    to: 'stored.terms !== 1 &&',
    test: fenceTest,
  },
  {
    breaks: 'an answer may have the paymentRequestId of a claim that was lost',
    file: durability,
    from: '|| paymentRequestId === stored',
    to: '|| paymentRequestId !== null || paymentRequestId === stored',
    test: fenceTest,
  },
  {
    breaks: 'an inquiry may have the paymentRequestId of a claim that was lost',
    file: 'apps/ingress/src/inquire-order.ts',
    from: 'durability.replicated(orderId, kept, paymentRequestId)',
    to: 'durability.replicated(orderId, kept)',
    test: ['apps/ingress', 'src/inquire-order.test.ts'],
  },
  {
    breaks: 'an outcome that the new master does not know passes the fence',
    file: durability,
    from: '|| outcome === stored',
    to: '|| outcome !== stored || outcome === stored',
    test: fenceTest,
  },
  {
    breaks: 'no single step of the clock is too large to be believed',
    file: 'packages/store/src/lua/list-forgettable.lua',
    from: 'math.min(math.max(now - kept[2], 0), STEP_MS_MAX)',
    to: 'now - kept[2]',
    test: ['packages/store', 'src/decide/limit-usage.test.ts'],
  },
]
