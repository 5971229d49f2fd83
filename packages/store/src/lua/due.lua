-- Returns the orders of a list that are due.
--
-- KEYS[1]      the list, a sorted set by the time orders are due in ms
-- ARGV[1]      how many at most
-- ARGV[2]      the longest pause there is (ms): an order with a longer one was deferred while the
--              clock was ahead, and is due
--
-- Returns      their orderIds

local time = redis.call('TIME')
local now = time[1] .. string.format('%03d', math.floor(time[2] / 1000))
local never = string.format('(%.0f', now + ARGV[2])
local due = redis.call('ZRANGE', KEYS[1], '-inf', now, 'BYSCORE', 'LIMIT', 0, ARGV[1])
if #due > 0 then return due end
return redis.call('ZRANGE', KEYS[1], never, '+inf', 'BYSCORE', 'LIMIT', 0, ARGV[1])
