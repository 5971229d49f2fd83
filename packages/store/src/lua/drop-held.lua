-- Lets a sink have no more of the entries that it holds in the outbox, oldest first, so that they
-- can be trimmed.
--
-- KEYS[1]      the outbox, a stream
-- ARGV[1]      the sink's consumer group
-- ARGV[2]      entries up to this id are dropped
-- ARGV[3]      how many are dropped at most
-- ARGV[4]      what is younger than this (ms), by Redis's clock, stays; 0 for all
--
-- Returns      how many entries were dropped, and how many orders were in them

-- How many orders an entry names; see conclude.lua. Of what was backfilled nobody is notified.
local function ordersIn(entry)
  local fields, orders = entry[2], 0
  if fields[1] == 'backfill' then return 0 end
  for i = 1, #fields, 2 do
    local isList = string.sub(fields[i], -1) == ':'
    orders = orders + (isList and #cjson.decode(fields[i + 1]) / 2 or 1)
  end
  return orders
end

local to = ARGV[2]
if ARGV[4] ~= '0' then
  local time = redis.call('TIME')
  local oldEnough = time[1] * 1000 - ARGV[4]
  if oldEnough < tonumber(string.match(to, '^%d+')) then to = string.format('%.0f', oldEnough) end
end

local group
if redis.call('EXISTS', KEYS[1]) == 0 then return { 0, 0 } end
for _, words in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local found = {}
  for i = 1, #words, 2 do found[words[i]] = words[i + 1] end
  if found.name == ARGV[1] then group = found end
end
if not group then return { 0, 0 } end

local entries, orders = 0, 0
for _, pending in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], '-', to, ARGV[3])) do
  local id = pending[1]
  local kept = redis.call('XRANGE', KEYS[1], id, id)
  if kept[1] then entries, orders = entries + 1, orders + ordersIn(kept[1]) end
  redis.call('XACK', KEYS[1], ARGV[1], id)
end
local from = '(' .. group['last-delivered-id']
local unread = entries < tonumber(ARGV[3])
    and redis.call('XRANGE', KEYS[1], from, to, 'COUNT', ARGV[3] - entries)
  or {}
for _, entry in ipairs(unread) do
  entries, orders = entries + 1, orders + ordersIn(entry)
end
if #unread > 0 then redis.call('XGROUP', 'SETID', KEYS[1], ARGV[1], unread[#unread][1]) end
return { entries, orders }
