import type { Mutant } from '../mutant.ts'

const groupTest: Mutant['test'] = ['apps/worker', 'src/process-group.test.ts']
const requeueTest: Mutant['test'] = ['packages/store', 'src/queue/requeue.test.ts']
const deferralTest: Mutant['test'] = ['packages/store', 'src/queue/deferral.test.ts']
const claimCountsTest: Mutant['test'] = ['packages/store', 'src/decide/claim-counts.test.ts']
const deferral = 'packages/store/src/queue/deferral.ts'
const lookup = 'packages/store/src/decide/lookup.ts'

/** Judging, retries, requeueing, and orders that kill. */
export const workers: Mutant[] = [
  {
    breaks: 'workers never requeue',
    file: 'apps/worker/src/requeue.ts',
    from: 'while (!signal.aborted) {',
    to: 'while (signal.aborted) {',
    test: ['apps/operator', 'test/metrics.test.ts'],
  },
  {
    breaks: 'a connection to a Cluster that was down is waited for in vain',
    file: 'packages/store/src/redis/connection.ts',
    from: '    settleConnects(connection)\n',
    to: '',
    test: ['packages/store', 'test/cluster-failover.test.ts'],
  },
  {
    breaks: 'orders whose job is there are requeued',
    file: 'packages/store/src/queue/requeue.ts',
    from: 'replies[i]?.[1] === 0 ||',
    to: 'replies[i]?.[1] === 1 ||',
    test: requeueTest,
  },
  {
    breaks: 'an order is given a new job by everybody who asks',
    file: 'packages/store/src/lua/reassign.lua',
    from: '(kept[2] == from or kept[2] == to)',
    to: 'true',
    test: requeueTest,
  },
  {
    breaks: 'an order is judged with the merchant category of its neighbour',
    file: 'apps/worker/src/decide-part.ts',
    from: ': verdictFor(record, facts,',
    to: `: verdictFor(
          record,
          facts instanceof Error
            ? facts
            : {
                ...facts,
                order: {
                  ...facts.order,
                  merchant: {
                    ...facts.order.merchant,
                    merchantMCC: open[0].record.order.merchant.merchantMCC,
                  },
                },
              },`,
    test: groupTest,
  },
  {
    breaks: 'an undecided order is failed before it had its time',
    file: 'apps/worker/src/verdict.ts',
    from: "if ('judged' in verdict || ageMs < decideWithinMs) return verdict",
    to: "if ('judged' in verdict) return verdict",
    test: groupTest,
  },
  {
    breaks: 'how old an order is goes by the clock of the worker',
    file: 'apps/worker/src/decide-part.ts',
    from: 'openAsOf.now + performance.now() - startedAt',
    to: 'Date.now()',
    test: groupTest,
  },
  {
    breaks: 'orders are judged by the counters of another policy',
    file: lookup,
    from: 'if (counted.used !== usedText(used)) continue',
    to: '',
    test: claimCountsTest,
  },
  {
    breaks: 'orders that their claims have counted are judged as if they had no others',
    file: lookup,
    from: 'known.get(orderId) ?? recents[i]',
    to: 'recents[i]',
    test: claimCountsTest,
  },
  {
    breaks: 'a claim counts for a policy that was replaced',
    file: 'packages/store/src/lua/claim.lua',
    from: 'used ~= ARGV[11] or ',
    to: '',
    test: claimCountsTest,
  },
  {
    breaks: 'a claim counts repeats as new orders',
    file: 'packages/store/src/lua/claim.lua',
    from: ' or #opened < 2 * orders',
    to: '',
    test: claimCountsTest,
  },
  {
    breaks: 'an order that fails its group keeps its neighbours from being decided',
    file: 'apps/worker/src/process-group.ts',
    from: 'if (isAlone(group) || isIsolated(group)) return',
    to: 'if (group) return',
    test: groupTest,
  },
  {
    breaks: 'an order whose check cannot decide is placed',
    file: 'apps/worker/src/checks/guard.ts',
    from: 'throw new CheckFault(name, circuit.name, cause)',
    to: "return 'SUCCESS'",
    test: ['apps/worker', 'src/checks/checks.test.ts'],
  },
  {
    breaks: 'stack traces grow in the jobs',
    file: 'packages/store/src/queue/queues.ts',
    from: '  stackTraceLimit: 0,\n',
    to: '',
    test: ['packages/store', 'src/queue/queues.test.ts'],
  },
  {
    breaks: 'an order is deferred by a job that it does not name',
    file: 'packages/store/src/lua/defer.lua',
    from: '(kept[2] == from or kept[2] == name)',
    to: 'true',
    test: deferralTest,
  },
  {
    breaks: 'all orders of an open circuit are tried',
    file: deferral,
    from: 'if (circuit !== undefined && !isOpen(circuit))',
    to: 'if (circuit !== undefined)',
    test: deferralTest,
  },
  {
    breaks: 'no order of an open circuit is tried',
    file: deferral,
    from: 'if (circuit === undefined || due.length > 0) return due',
    to: 'if (due) return due',
    test: deferralTest,
  },
  {
    breaks: 'deferred orders are resumed all at once',
    file: deferral,
    from: 'const RESUMED_MAX = 512',
    to: 'const RESUMED_MAX = 512_000',
    test: deferralTest,
  },
  {
    breaks: 'deferred orders never reach their last time',
    file: 'packages/store/src/lua/defer.lua',
    from: 'math.min(now + pause, claimedAt + longest)',
    to: 'now + pause',
    test: deferralTest,
  },
  {
    breaks: 'a deferred order that left its list is never requeued',
    file: 'packages/store/src/queue/requeue.ts',
    from: '|| replies[i]?.[1] === null)',
    to: '|| false)',
    test: deferralTest,
  },
  {
    breaks: 'an order that kills its workers is judged by workers for ever',
    file: 'apps/worker/src/isolation/stalls.ts',
    from: 'const STALLS_MAX = 2',
    to: 'const STALLS_MAX = 2_000',
    test: ['apps/worker', 'src/isolation/stalls.test.ts'],
  },
  {
    breaks: 'a process that judges an order is waited for without end',
    file: 'apps/worker/src/isolation/isolated-judge.ts',
    from: 'await Promise.race([replied, exited, late])',
    to: 'await Promise.race([replied, exited])',
    test: ['apps/worker', 'src/isolation/isolated-judge.test.ts', 'hangs'],
  },
]
