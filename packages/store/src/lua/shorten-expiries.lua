-- Lets no key live longer than it was ever given. Redis keeps the time at which a key expires: what was set while its clock was
-- ahead stays, once the clock is right again, for as long as it was ahead.
--
-- KEYS[1]      the list of active jobs
-- KEYS[2..n]   keys that always expire; one that is not there is left out
-- ARGV[1]      how the key of a job's lock begins; then come the job's id and ':lock'
-- ARGV[2]      for how long a lock is given (ms)
-- ARGV[3]      the locks of so many active jobs are looked at, of those that were taken first
-- ARGV[4..]    for each of KEYS[2..n], for how long it is given at most (ms)
--
-- Returns      how many keys were to live longer

local shortened = 0
-- LT: an expiry is never put off. It would also give one to a key that has none.
local function shorten(key, ms) shortened = shortened + redis.call('PEXPIRE', key, ms, 'LT') end

for i = 2, #KEYS do shorten(KEYS[i], ARGV[i + 2]) end
for _, job in ipairs(redis.call('LRANGE', KEYS[1], -ARGV[3], -1)) do shorten(ARGV[1] .. job .. ':lock', ARGV[2]) end
return shortened
