-- Lists the decisions and counters that may be forgotten, by the steady time. The steady time
-- follows the clock of this node but not its steps: each call advances it by the time since the
-- last call, by 10 s at most, and never moves it back. So it falls behind while nobody calls, and a
-- wrong clock makes nothing old.
--
-- KEYS[1]      the steady time, a hash: the steady time and the clock at the last call, both in ms
-- KEYS[2]      the minutes that have decisions, a sorted set by the steady time since which none of
--              their orders is open; 0 while one is
-- KEYS[3]      the hashes of counters, a sorted set by the steady time since which no order was
--              counted in them; 0 after an order was
-- ARGV[1]      the minute of the oldest open order, read just before; '' if none is open
-- ARGV[2]      decisions may be forgotten when no order of their minute was open for this long (ms)
-- ARGV[3]      counters may be forgotten when no order was counted for this long (ms)
--
-- Returns      the time in ms; the steady time in ms; the number of minutes that may be forgotten;
--              those minutes; then the counters that may be forgotten

local STEP_MS_MAX = 10000

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local kept = redis.call('HMGET', KEYS[1], 'steady', 'at')
local passed = kept[1] and math.min(math.max(now - kept[2], 0), STEP_MS_MAX)
local steady = kept[1] and kept[1] + passed or now
local function ms(value) return string.format('%.0f', value) end
redis.call('HSET', KEYS[1], 'steady', ms(steady), 'at', ms(now))

-- The members of a sorted set that were not in use for `unusedMs`. Scores those that have just
-- become unused with the steady time, and those in use with 0.
local function unusedFor(key, unusedMs, isInUse)
  local members, due = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES'), {}
  for i = 1, #members, 2 do
    local member, since = members[i], tonumber(members[i + 1])
    if isInUse(member) then
      if since > 0 then redis.call('ZADD', key, 0, member) end
    elseif since == 0 then
      redis.call('ZADD', key, ms(steady), member)
    elseif since <= steady - unusedMs then
      due[#due + 1] = member
    end
  end
  return due
end

local minutes = unusedFor(KEYS[2], ARGV[2], function(minute)
  return ARGV[1] ~= '' and tonumber(minute) >= tonumber(ARGV[1])
end)
local counters = unusedFor(KEYS[3], ARGV[3], function() return false end)
local reply = { ms(now), ms(steady), #minutes }
for _, minute in ipairs(minutes) do reply[#reply + 1] = minute end
for _, counter in ipairs(counters) do reply[#reply + 1] = counter end
return reply
