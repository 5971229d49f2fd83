-- Reads the open orders of a job and counts them as recent orders, in one step, where one node
-- holds all keys. `countRecent` is the script `count-recent` as a function of its KEYS and ARGV.
--
-- KEYS[1]      the recent counters that the policy reads: see claim-counts.ts
-- KEYS[2..]    the orders' hashes, then the keys of `count-recent`, if some are to be counted
-- ARGV[1]      the job
-- ARGV[2]      what KEYS[1] becomes, if some are to be counted; else nothing is written
-- ARGV[3]      the first argument of `count-recent`
-- ARGV[4..]    the orderId of each order
--
-- Returns      four lists: each order's packed request, its client and its claim time in ms, each
--              '' if the order is concluded or in another job; and the reply of `count-recent`

-- For how long (s) KEYS[1] is kept: while orders come, jobs are looked up more often.
local USED_S = 60

local orders = #ARGV - 3
local requests, clients, claimTimes, counted = {}, {}, {}, { ARGV[3] }
for i = 1, orders do
  local request, client, claimedAt, job, outcome =
    unpack(redis.call('HMGET', KEYS[1 + i], 'request', 'client', 'claimedAt', 'job', 'outcome'))
  local open = request and job == ARGV[1] and not outcome
  requests[i], clients[i] = open and request or '', open and client or ''
  claimTimes[i] = open and claimedAt or ''
  counted[2 * i], counted[2 * i + 1] = claimTimes[i], ARGV[3 + i]
end
if #KEYS > orders + 1 then redis.call('SET', KEYS[1], ARGV[2], 'EX', USED_S) end
return { requests, clients, claimTimes, countRecent({ unpack(KEYS, orders + 2) }, counted) }
