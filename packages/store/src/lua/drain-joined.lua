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
-- ARGV[5]      the same if none has joined
--
-- Returns      1 if groups may join the job from now on, else 0; then the rest of the list

local groups = redis.call('LRANGE', KEYS[2], 0, -1)
local processed = tonumber(ARGV[2])
if processed > 0 and groups[processed] == ARGV[3] then
  redis.call('LTRIM', KEYS[2], ARGV[2], -1)
else
  processed = 0
end
local joinMs = #groups > processed and ARGV[4] or ARGV[5]
local isJoinable = redis.call('GET', KEYS[1]) == ARGV[1]
if isJoinable and joinMs == '0' then
  redis.call('DEL', KEYS[1])
  isJoinable = false
elseif isJoinable then
  redis.call('PEXPIRE', KEYS[1], joinMs)
end
return { isJoinable and '1' or '0', unpack(groups, processed + 1) }
