-- Says which decisions and counters may be forgotten, by the steady time. It is the time of this node but for steps of its
-- clock: of what passed since the last call it takes 10 s at most, and nothing of a step back. So it is late after a while
-- without calls, and no reading of a clock makes anything old.
--
-- KEYS[1]      the steady time, a hash: what it is, and what the clock said then; both in ms
-- KEYS[2]      the minutes there are decisions of, a sorted set by the steady time at which none of their orders was open any
--              more; 0 before
-- KEYS[3]      the hashes of counters, a sorted set by the steady time since which none was counted in; 0 after each that was
-- ARGV[1]      the first minute of which an order was open just before; '' for none
-- ARGV[2]      decisions may be forgotten when no order of their minute was open for so long (ms)
-- ARGV[3]      counters may be forgotten when nothing was counted in for so long (ms)
--
-- Returns      the time in ms; the steady time in ms; how many minutes may be forgotten, and which; then which counters

local STEP_MS_MAX = 10000

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local kept = redis.call('HMGET', KEYS[1], 'steady', 'at')
local passed = kept[1] and math.min(math.max(now - kept[2], 0), STEP_MS_MAX)
local steady = kept[1] and kept[1] + passed or now
redis.call('HSET', KEYS[1], 'steady', string.format('%.0f', steady), 'at', string.format('%.0f', now))

-- Those of a sorted set that are in use no more and were not for `ms`. Sets the times since when they are not.
local function unusedFor(key, ms, isInUse)
  local members, due = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES'), {}
  for i = 1, #members, 2 do
    local member, since = members[i], tonumber(members[i + 1])
    if isInUse(member) then
      if since > 0 then redis.call('ZADD', key, 0, member) end
    elseif since == 0 then
      redis.call('ZADD', key, string.format('%.0f', steady), member)
    elseif since <= steady - ms then
      due[#due + 1] = member
    end
  end
  return due
end

local minutes = unusedFor(KEYS[2], ARGV[2], function(minute)
  return ARGV[1] ~= '' and tonumber(minute) >= tonumber(ARGV[1])
end)
local counters = unusedFor(KEYS[3], ARGV[3], function() return false end)
local reply = { string.format('%.0f', now), string.format('%.0f', steady), #minutes }
for _, minute in ipairs(minutes) do reply[#reply + 1] = minute end
for _, counter in ipairs(counters) do reply[#reply + 1] = counter end
return reply
