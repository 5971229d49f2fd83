-- Reads orders: one command for a group, since each command of a pipeline costs its sender as much as reading its answer does.
--
-- KEYS[1..n]   the orders' hashes
-- ARGV[..]     the fields
--
-- Returns      for each order its fields, as HMGET does

local records = {}
for i, key in ipairs(KEYS) do records[i] = redis.call('HMGET', key, unpack(ARGV)) end
return records
