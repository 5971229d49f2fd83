-- Reads the open orders of a job and counts them as recent orders, in one step, where one node
-- holds all keys. `countRecent` is the script `count-recent` as a function of its KEYS and ARGV.
--
-- KEYS[1..]    the orders' hashes, then the keys of `count-recent`
-- ARGV[1]      the job
-- ARGV[2]      the first argument of `count-recent`
-- ARGV[3..]    the orderId of each order
--
-- Returns      four lists: each order's packed request, its client and its claim time in ms, each
--              '' if the order is concluded or in another job; and the reply of `count-recent`

local orders = #ARGV - 2
local requests, clients, claimTimes, counted = {}, {}, {}, { ARGV[2] }
for i = 1, orders do
  local request, client, claimedAt, job, outcome =
    unpack(redis.call('HMGET', KEYS[i], 'request', 'client', 'claimedAt', 'job', 'outcome'))
  local open = request and job == ARGV[1] and not outcome
  requests[i], clients[i] = open and request or '', open and client or ''
  claimTimes[i] = open and claimedAt or ''
  counted[2 * i], counted[2 * i + 1] = claimTimes[i], ARGV[2 + i]
end
return { requests, clients, claimTimes, countRecent({ unpack(KEYS, orders + 1) }, counted) }
