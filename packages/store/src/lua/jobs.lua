-- Says which jobs are answerable for orders.
--
-- KEYS[1..n]   the orders' hashes
-- ARGV[]       nothing
--
-- Returns      for each order the job its record names; '' if it names none, or is no record

local jobs = {}
for i, key in ipairs(KEYS) do
  local job = redis.pcall('HGET', key, 'job') -- A key of another type is nobody else's fault.
  jobs[i] = type(job) == 'string' and job or ''
end
return jobs
