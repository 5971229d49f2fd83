-- Takes over entries of a stream that were given to a consumer while the clock of Redis was ahead:
-- by its clock they are not idle before that time has come. It may run twice.
--
-- KEYS[1]      the stream
-- ARGV[1]      the group
-- ARGV[2]      the consumer who takes them over
-- ARGV[3]      how many entries are looked at
--
-- Returns      the entries, as XCLAIM does

-- A clock that is set by this much (ms) or less delays a takeover by no more.
local APART_MS = 10000

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function valueOf(list, name)
  for i = 1, #list, 2 do
    if list[i] == name then return list[i + 1] end
  end
  return {}
end

local ids = {}
local stream = redis.call('XINFO', 'STREAM', KEYS[1], 'FULL', 'COUNT', ARGV[3])
for _, group in ipairs(valueOf(stream, 'groups')) do
  for _, pending in ipairs(valueOf(group, 'name') == ARGV[1] and valueOf(group, 'pending') or {}) do
    local id, deliveredAt = pending[1], pending[3]
    if deliveredAt > now + APART_MS then ids[#ids + 1] = id end
  end
end
if #ids == 0 then return {} end
return redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, unpack(ids))
