-- Reads fields of orders. One command for a group: each command of a pipeline costs its sender as
-- much as parsing its reply.
--
-- KEYS[1..n]   the orders' hashes
-- ARGV[..]     the fields
--
-- Returns      for each order its fields, as HMGET returns them; none for a key of another type

local records = {}
for i, key in ipairs(KEYS) do
  local kept = redis.pcall('HMGET', key, unpack(ARGV))
  records[i] = kept.err and {} or kept
end
return records
