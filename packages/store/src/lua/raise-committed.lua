-- Notes what the archive has confirmed. Neither of both ever goes down: a slower archiver comes
-- later with less.
--
-- KEYS[1]      what is known of the archive, a hash
-- KEYS[2]      the shard's orders that were set aside, a hash
-- ARGV[1]      the UUID of the archive that has confirmed it
-- ARGV[2]      the version that it has committed
-- ARGV[3]      the highest id of the outbox that is in it
--
-- Returns      how many orders are set aside; -1 if the first hash is of another archive, or gone,
--              and was left alone

if redis.call('HGET', KEYS[1], 'uuid') ~= ARGV[1] then return -1 end
local kept = redis.call('HMGET', KEYS[1], 'committed', 'archivedTo')
local function isAfter(id, other)
  local ms, n = string.match(id, '^(%d+)-(%d+)$')
  local otherMs, otherN = string.match(other, '^(%d+)-(%d+)$')
  if ms ~= otherMs then return tonumber(ms) > tonumber(otherMs) end
  return tonumber(n) > tonumber(otherN)
end
if tonumber(ARGV[2]) > tonumber(kept[1] or 0) then
  redis.call('HSET', KEYS[1], 'committed', ARGV[2])
end
if isAfter(ARGV[3], kept[2] or '0-0') then redis.call('HSET', KEYS[1], 'archivedTo', ARGV[3]) end
return redis.call('HLEN', KEYS[2])
