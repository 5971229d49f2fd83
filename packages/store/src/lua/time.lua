-- Returns the time of the node that holds a slot: on a Cluster, plain TIME may run on any node.
--
-- KEYS[1]      the steady time, a hash; see list-forgettable.lua
-- ARGV[]       nothing
--
-- Returns      the time in ms; the steady time in ms

local time = redis.call('TIME')
local now = time[1] .. string.format('%03d', math.floor(time[2] / 1000))
return { now, redis.call('HGET', KEYS[1], 'steady') or now }
