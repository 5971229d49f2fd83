-- Ends a rebuild: claims ask the new filters from now on, or the new ones are dropped. Until then
-- claims ask the old ones, and what is forgotten goes into both.
--
-- KEYS[1]      what is known of the archive, a hash
-- KEYS[2..]    the filters that nobody needs any more
-- ARGV[1]      the generation of the filters as the caller knows them
-- ARGV[2]      SWAP, or DROP to drop the new ones
--
-- Returns      1; 0 if there are other filters by now, and nothing was done

local known = redis.call('HMGET', KEYS[1], 'generation', 'rebuilt')
if (known[1] or '0') ~= ARGV[1] or not known[2] then return 0 end
if ARGV[2] == 'SWAP' then redis.call('HSET', KEYS[1], 'filters', known[2]) end
redis.call('HDEL', KEYS[1], 'rebuilt')
redis.call('HINCRBY', KEYS[1], 'generation', 1)
if #KEYS > 1 then redis.call('UNLINK', unpack(KEYS, 2)) end
return 1
