-- Tells the time of the node that keeps a slot: on a Cluster, TIME alone may be any node's.
--
-- KEYS[1]      a key of the slot
-- ARGV[]       nothing
--
-- Returns      the time in ms

local time = redis.call('TIME')
return time[1] .. string.format('%03d', math.floor(time[2] / 1000))
