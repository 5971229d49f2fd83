-- Removes from the outbox what every group has acknowledged and, where orders are forgotten, what
-- was. The entry at `archivedTo` stays: by it a Redis that went back to an older state is noticed.
-- While copying is switched off, only groups count. What has no group yet keeps all of it.
--
-- KEYS[1]      the outbox, a stream
-- KEYS[2]      what is known of the archive, a hash
-- ARGV[1]      how many entries are removed at most
--
-- Returns      how many were removed

local function isBefore(id, other)
  local ms, n = string.match(id, '^(%d+)-(%d+)$')
  local otherMs, otherN = string.match(other, '^(%d+)-(%d+)$')
  if ms ~= otherMs then return tonumber(ms) < tonumber(otherMs) end
  return tonumber(n) < tonumber(otherN)
end

if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local known = redis.call('HMGET', KEYS[2], 'archivedTo', 'forgottenTo', 'off')
if known[3] then known = {} end
local needed = known[1]
if known[2] and (not needed or isBefore(known[2], needed)) then needed = known[2] end
for _, words in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = {}
  for i = 1, #words, 2 do group[words[i]] = words[i + 1] end
  local pending = group.pending > 0 and redis.call('XPENDING', KEYS[1], group.name)[2]
  local from = pending or group['last-delivered-id']
  if not needed or isBefore(from, needed) then needed = from end
end
if not needed then return 0 end
return redis.call('XTRIM', KEYS[1], 'MINID', '~', needed, 'LIMIT', ARGV[1])
