-- Finds the orders that the shard may have forgotten: all of their bits are set in one filter. Part
-- of other scripts, as a function of its KEYS and ARGV. One command a filter, for all orders.
--
-- KEYS[1..]    the shard's filters
-- ARGV[1..]    for each filter the arguments with which BITFIELD reads its last bit, and then eight
--              bits of each order, as JSON
--
-- Returns      a list that is true at the positions of these orders; fails if a filter is not as
--              long as it was made: it would take forgotten orders for new ones

local maybe = {}
for n, filter in ipairs(KEYS) do
  local bits = redis.call('BITFIELD', filter, unpack(cjson.decode(ARGV[n])))
  assert(bits[1] == 1, filter .. ' is missing or was cut')
  for at = 2, #bits, 8 do
    local set = 0
    for i = at, at + 7 do set = set + bits[i] end
    if set == 8 then maybe[(at + 6) / 8] = true end
  end
end
return maybe
