-- Gives deferred orders to a job, which is to be enqueued then. Those that are not the list's any more only leave it. Run twice
-- it names the same orders.
--
-- KEYS[1]      the list, a sorted set
-- KEYS[2]      the set of the names of all lists that have orders
-- KEYS[3..n]   the orders' hashes
-- ARGV[1]      the list's name
-- ARGV[2]      what a record names as answerable for an order on the list
-- ARGV[3]      the job
-- ARGV[4..]    the orderId of each order
--
-- Returns      for each order its trace or '' if the job is answerable now, else false

local resumed = {}
for i = 3, #KEYS do
  local kept = redis.call('HMGET', KEYS[i], 'outcome', 'job', 'trace')
  resumed[i - 2] = false
  if not kept[1] and (kept[2] == ARGV[2] or kept[2] == ARGV[3]) then
    resumed[i - 2] = kept[3] or ''
    redis.call('HSET', KEYS[i], 'job', ARGV[3])
    redis.call('HDEL', KEYS[i], 'trace')
  end
end
redis.call('ZREM', KEYS[1], unpack(ARGV, 4))
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('SREM', KEYS[2], ARGV[1]) end
return resumed
