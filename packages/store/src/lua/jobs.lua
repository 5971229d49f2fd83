-- Returns the jobs that orders' records name.
--
-- KEYS[1..n]   the orders' hashes
-- ARGV[]       nothing
--
-- Returns      for each order its job; '' if its record names none, or is not a record

local jobs = {}
for i, key in ipairs(KEYS) do
  local job = redis.pcall('HGET', key, 'job') -- A key of another type must not fail the rest.
  jobs[i] = type(job) == 'string' and job or ''
end
return jobs
