-- Reads the next page of a shard's open orders, oldest first. The next caller, any worker, gets the
-- page after it; after the last page there is a pause, then the first page again. So all workers
-- together read each order once in a walk.
--
-- KEYS[1]      the open orders, a sorted set by claim time in ms
-- KEYS[2]      the claim time after which the next page begins; END during the pause
-- ARGV[1]      orders younger than this (ms) are left out
-- ARGV[2]      orders of a page; more if several of the same ms would be divided
-- ARGV[3]      the pause after the last page (ms)
--
-- Returns      1 if there are more pages, else 0; and the orderIds

-- An order whose claim time is further ahead than this (ms) was claimed before the clock was set
-- back: it is old and not left out.
local AHEAD_MS = 1000

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local from = redis.call('GET', KEYS[2]) or '-inf'
if from == 'END' then
  -- A pause that is longer than any began while the clock was ahead.
  if redis.call('PTTL', KEYS[2]) <= tonumber(ARGV[3]) then return { 0 } end
  from = '-inf'
end
local ahead = string.format('(%d', now + AHEAD_MS)
local isAhead = from ~= '-inf' and tonumber(string.sub(from, 2)) >= now + AHEAD_MS
local to = isAhead and '+inf' or string.format('%d', now - ARGV[1])

local last =
  redis.call('ZRANGEBYSCORE', KEYS[1], from, to, 'WITHSCORES', 'LIMIT', ARGV[2] - 1, 1)[2]
local open = redis.call('ZRANGEBYSCORE', KEYS[1], from, last or to)
local nextFrom = last and '(' .. last
if not last and not isAhead and redis.call('ZCOUNT', KEYS[1], ahead, '+inf') > 0 then
  nextFrom = ahead
end
if nextFrom then
  redis.call('SET', KEYS[2], nextFrom)
else
  redis.call('SET', KEYS[2], 'END', 'PX', ARGV[3])
end
return { nextFrom and 1 or 0, unpack(open) }
