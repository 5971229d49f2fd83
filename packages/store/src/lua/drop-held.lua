-- Lets a sink have no more of the entries that it holds in the outbox, oldest first, so that they
-- can be trimmed.
--
-- KEYS[1]      the outbox, a stream
-- ARGV[1]      the sink's consumer group
-- ARGV[2]      entries up to this id are dropped
-- ARGV[3]      how many are dropped at most
--
-- Returns      how many entries were dropped, and how many orders were in them

local group
if redis.call('EXISTS', KEYS[1]) == 0 then return { 0, 0 } end
for _, words in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local found = {}
  for i = 1, #words, 2 do found[words[i]] = words[i + 1] end
  if found.name == ARGV[1] then group = found end
end
if not group then return { 0, 0 } end

local entries, orders = 0, 0
for _, pending in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], '-', ARGV[2], ARGV[3])) do
  local id = pending[1]
  local kept = redis.call('XRANGE', KEYS[1], id, id)
  if kept[1] then entries, orders = entries + 1, orders + #kept[1][2] / 2 end
  redis.call('XACK', KEYS[1], ARGV[1], id)
end
local from = '(' .. group['last-delivered-id']
local unread = entries < tonumber(ARGV[3])
    and redis.call('XRANGE', KEYS[1], from, ARGV[2], 'COUNT', ARGV[3] - entries)
  or {}
for _, entry in ipairs(unread) do
  entries, orders = entries + 1, orders + #entry[2] / 2
end
if #unread > 0 then redis.call('XGROUP', 'SETID', KEYS[1], ARGV[1], unread[#unread][1]) end
return { entries, orders }
