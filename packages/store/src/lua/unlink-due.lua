-- Unlinks keys that are due by their index, and removes them from it. UNLINK frees memory in a
-- thread of its own, so that no other command waits for it.
--
-- KEYS[1]      the index: a sorted set by the time (ms) at which a key is due
-- KEYS[2..n]   the keys
-- ARGV[1]      the time (ms): a key with a later score, or with 0, stays
-- ARGV[2..n]   the members of the index that stand for the keys
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
