#!lua flags=allow-oom
-- Sets the bits of archived orders in a filter that is being rebuilt, unless Redis has a record of
-- them: then that is done when they are forgotten. It may run twice.
--
-- KEYS[1]      what is known of the archive, a hash
-- KEYS[2]      the last filter of the list that is being rebuilt
-- KEYS[3..]    the orders' hashes
-- ARGV[1]      the generation of the filters that the bits were calculated for
-- ARGV[2]      the number of bits of an order
-- ARGV[3..]    for each order its bits
--
-- Returns      the number of orders that the filter did not have; -1 if there are other filters by
--              now, and nothing was done

if (redis.call('HGET', KEYS[1], 'generation') or '0') ~= ARGV[1] then return -1 end
local entered = 0
for i = 3, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 0 then
    local sets, isNew = {}, false
    for bit = 3 + (i - 3) * ARGV[2], 2 + (i - 2) * ARGV[2] do
      local next = #sets
      sets[next + 1], sets[next + 2], sets[next + 3], sets[next + 4] = 'SET', 'u1', ARGV[bit], 1
    end
    for _, was in ipairs(redis.call('BITFIELD', KEYS[2], unpack(sets))) do
      isNew = isNew or was == 0
    end
    if isNew then entered = entered + 1 end
  end
end
if entered > 0 then
  local list = string.gsub(redis.call('HGET', KEYS[1], 'rebuilt'), '%d+$', function(count)
    return string.format('%d', count + entered)
  end)
  redis.call('HSET', KEYS[1], 'rebuilt', list)
end
return entered
