#!lua flags=allow-oom
-- Adds an empty filter to a shard's list, at its full length: its last bit is set, so that a filter
-- that is missing or was cut is never taken for an empty one. What is forgotten from now on goes
-- into it.
--
-- KEYS[1]      what is known of the archive, a hash
-- KEYS[2]      the new filter
-- ARGV[1]      the generation of the filters as the caller knows them
-- ARGV[2]      the hash's field with the list
-- ARGV[3]      the number of the new filter
-- ARGV[4]      its length in bytes
--
-- Returns      1; 0 if there are other filters by now, or no archive is known: then nothing is done

local known = redis.call('HMGET', KEYS[1], 'uuid', 'generation', ARGV[2])
if not known[1] or (known[2] or '0') ~= ARGV[1] then return 0 end
local filter = string.format('%s:%s:0', ARGV[3], ARGV[4])
redis.call('UNLINK', KEYS[2])
redis.call('SETBIT', KEYS[2], ARGV[4] * 8 - 1, 1)
redis.call('HSET', KEYS[1], ARGV[2], known[3] and known[3] ~= '' and known[3] .. ' ' .. filter
  or filter)
redis.call('HINCRBY', KEYS[1], 'generation', 1)
return 1
