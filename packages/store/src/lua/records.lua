-- Reads orders: one command for a group, since each command of a pipeline costs its sender as much as reading its answer does.
--
-- KEYS[1..n]   the orders' hashes
-- ARGV[..]     the fields
--
-- Returns      for each order its fields, as HMGET does; none for a key of another type

local records = {}
for i, key in ipairs(KEYS) do
  local kept = redis.pcall('HMGET', key, unpack(ARGV))
  records[i] = kept.err and {} or kept
end
return records
