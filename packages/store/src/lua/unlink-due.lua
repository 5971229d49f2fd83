-- Unlinks keys whose time has come, by the index they stand in. Freed by a thread of its own, so nobody waits for it.
--
-- KEYS[1]      the index: a sorted set by time
-- KEYS[2..n]   the keys
-- ARGV[1]      the time: what has a score of 0, or a later one by now, stays
-- ARGV[2..n]   what stands in the index for each of the keys
--
-- Returns      how many were unlinked

local unlinked = 0
for i = 2, #KEYS do
  local score = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[i]))
  if score and score > 0 and score <= tonumber(ARGV[1]) then
    redis.call('UNLINK', KEYS[i])
    redis.call('ZREM', KEYS[1], ARGV[i])
    unlinked = unlinked + 1
  end
end
return unlinked
