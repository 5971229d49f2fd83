-- Takes what has joined a job, for its worker. Nothing is removed before it is done with: whoever runs the job again finds it. Run
-- twice, or beside another worker that has the job, it removes nothing that its caller has not done.
--
-- KEYS[1]      the id of the job that orders may join, while there is one
-- KEYS[2]      the list of what has joined the job
-- ARGV[1]      the job
-- ARGV[2]      how much of the list, from its head, is done with
-- ARGV[3]      the last of that; each is there once
-- ARGV[4]      for how long more may join from now on (ms), if any has; 0: no more may
--
-- Returns      what is left of the list. If it is empty, no more joins the job

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
