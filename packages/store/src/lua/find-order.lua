-- Reads an order's record, or finds out in the same step whether it may have been forgotten.
--
-- KEYS[1]      the order's hash
-- KEYS[2]      what is known of the archive, a hash
-- KEYS[3..]    the shard's filters
-- ARGV[1]      the generation of the filters
-- ARGV[2]      the number of the record's fields
-- ARGV[3..]    the fields, then for each filter what `maybe-forgotten` reads
--
-- Returns      STALE if the shard has other filters by now; else a list: RECORD and the fields, as
--              HMGET returns them; or MAYBE, the archive's UUID and the highest version that an
--              order was forgotten at; or ABSENT

local fields = tonumber(ARGV[2])
local record = redis.call('HMGET', KEYS[1], unpack(ARGV, 3, 2 + fields))
for _, kept in ipairs(record) do
  if kept then return { 'RECORD', unpack(record) } end
end

local archive = redis.call('HMGET', KEYS[2], 'uuid', 'forgottenVersion', 'generation')
if (archive[3] or '0') ~= ARGV[1] then return 'STALE' end
local maybe = maybeForgotten({ unpack(KEYS, 3) }, { unpack(ARGV, 3 + fields) })
if maybe[1] then return { 'MAYBE', archive[1] or '', archive[2] or '0' } end
return { 'ABSENT' }
