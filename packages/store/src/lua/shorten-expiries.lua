-- Limits the time to live of keys to the longest that they are ever given. Redis stores when a key
-- expires: a key that was set while the clock was ahead would live longer by as much.
--
-- KEYS[1]      the list of active jobs
-- KEYS[2..n]   keys that always have an expiry; missing ones are skipped
-- ARGV[1]      the prefix of a lock's key; the job's id and ':lock' follow
-- ARGV[2]      the time to live of a lock (ms)
-- ARGV[3]      how many active jobs' locks are checked, oldest first
-- ARGV[4..]    for each of KEYS[2..n], its longest time to live (ms)
--
-- Returns      how many keys were shortened

local shortened = 0
-- LT: never prolongs an expiry. A key without one would get one.
local function shorten(key, ms) shortened = shortened + redis.call('PEXPIRE', key, ms, 'LT') end

for i = 2, #KEYS do shorten(KEYS[i], ARGV[i + 2]) end
for _, job in ipairs(redis.call('LRANGE', KEYS[1], -ARGV[3], -1)) do
  shorten(ARGV[1] .. job .. ':lock', ARGV[2])
end
return shortened
