-- Removes the groups that a job's worker has processed, and returns the ones that have joined
-- since: see job-rounds.ts. A group is removed only after it was processed, so that a job that runs
-- again still has it. This may run twice, or for two workers that run the job: it removes nothing
-- that its caller has not processed.
--
-- KEYS[1]      the id of the joinable job, while there is one
-- KEYS[2]      the list of the groups that have joined the job
-- ARGV[1]      the job's id
-- ARGV[2]      how many groups at the head of the list were processed
-- ARGV[3]      the last of those, as JSON; no group is on the list twice
-- ARGV[4]      for how long more groups may join from now on (ms), if any has joined; 0: none may
--
-- Returns      the rest of the list. If it is empty, the job is no longer joinable

if ARGV[2] ~= '0' and redis.call('LINDEX', KEYS[2], ARGV[2] - 1) == ARGV[3] then
  redis.call('LTRIM', KEYS[2], ARGV[2], -1)
end
local joined = redis.call('LRANGE', KEYS[2], 0, -1)
if redis.call('GET', KEYS[1]) == ARGV[1] then
  if #joined > 0 and ARGV[4] ~= '0' then
    redis.call('PEXPIRE', KEYS[1], ARGV[4])
  else
    redis.call('DEL', KEYS[1])
  end
end
return joined
