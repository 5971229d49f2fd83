-- Moves deferred orders from their list to a job, which the caller enqueues afterwards. Orders
-- whose record no longer names the list are only removed from it. It may run twice: the reply is
-- the same.
--
-- KEYS[1]      the list, a sorted set
-- KEYS[2]      the set of the names of all lists that hold orders
-- KEYS[3..n]   the orders' hashes
-- ARGV[1]      the list's name
-- ARGV[2]      what the record of an order on the list names instead of a job
-- ARGV[3]      the job's id
-- ARGV[4..]    the orderId of each order
--
-- Returns      for each order its trace, or '', if its record names the job now, else false

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
