import type { Mutant } from '../mutant.ts'

const reserve = 'packages/store/src/lua/reserve.lua'
const usage: Mutant['test'] = ['packages/store', 'src/decide/limit-usage.test.ts']

/** Limits, order codes and the register of decisions. */
export const limits: Mutant[] = [
  {
    breaks: 'the register of decisions is never written',
    file: reserve,
    from: "  redis.call('HSET', KEYS[1], unpack(fresh))\n",
    to: '',
    test: usage,
  },
  {
    breaks: 'the register is kept by the minute of the look, not of the claim',
    file: 'packages/store/src/decide/limit-usage.ts',
    from: '([, order]) => minuteOf(order.claimedAt))',
    to: '() => minuteOf(Date.now()))',
    test: usage,
  },
  {
    breaks: 'the limit itself is refused',
    file: reserve,
    from: 'return sum, max and sum > max + 0 end',
    to: 'return sum, max and sum >= max + 0 end',
    test: usage,
  },
  {
    breaks: 'a limit of orders a day is not kept',
    file: reserve,
    from: 'countOver = countOver or isOver',
    to: 'countOver = false',
    test: usage,
  },
  {
    breaks: 'an order code is used twice',
    file: reserve,
    from: "      redis.call('SET', key, holders[place])",
    to: '',
    test: usage,
  },
  {
    breaks: 'a refused order takes from its limits',
    file: reserve,
    from: 'if passed and not refused then take(',
    to: 'if last >= first then take(',
    test: usage,
  },
  {
    breaks: 'whoever was stopped for a minute still decides',
    file: reserve,
    from: 'if steady - ARGV[2] > tonumber(ARGV[3]) then',
    to: 'if false then',
    test: usage,
  },
  {
    breaks: 'large sums lose digits',
    file: reserve,
    from: 'if sum < 1e15 then return sum',
    to: 'if sum < 1e30 then return sum',
    test: ['packages/store', 'src/decide/limit-usage.property.test.ts'],
  },
  {
    breaks: 'limits of customers are not kept',
    file: 'packages/decision/src/limit.ts',
    from: 'ofCustomer === undefined || customerId === undefined',
    to: 'ofCustomer !== undefined || customerId === undefined',
    test: ['packages/decision', 'src/limit.test.ts'],
  },
  {
    breaks: 'amounts are compared as texts of any length',
    file: 'packages/protocol/src/amount.ts',
    from: 'value > digits : value.length > digits.length',
    to: 'value > digits : value > digits',
    test: ['packages/protocol', 'src/amount.test.ts'],
  },
  {
    breaks: 'the day of a limit is that of UTC',
    file: 'packages/decision/src/day.ts',
    from: '    timeZone,\n',
    to: "    timeZone: 'UTC',\n",
    test: ['packages/decision', 'src/day.test.ts'],
  },
]
