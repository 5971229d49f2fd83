-- Gives the next of a shard's open orders to be looked at, oldest first. Whoever asks next is given those after them; after
-- the last it begins again, when some time has passed. So workers share one way through all of them.
--
-- KEYS[1]      the open orders, a sorted set by claim time in ms
-- KEYS[2]      where the next one goes on: after this claim time; or END for a while
-- ARGV[1]      younger orders than this (ms) are left out
-- ARGV[2]      how many, about: those that were claimed within one ms are not divided
-- ARGV[3]      after the last, for how long (ms) nobody begins again
--
-- Returns      1 if there are more, else 0; and the orderIds

-- An order that was claimed later than in this time (ms) was so before the clock was put back: it is not left out.
local AHEAD_MS = 1000

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local from = redis.call('GET', KEYS[2]) or '-inf'
if from == 'END' then
  -- A longer pause than is ever made was begun while the clock was ahead.
  if redis.call('PTTL', KEYS[2]) <= tonumber(ARGV[3]) then return { 0 } end
  from = '-inf'
end
local ahead = string.format('(%d', now + AHEAD_MS)
local isAhead = from ~= '-inf' and tonumber(string.sub(from, 2)) >= now + AHEAD_MS
local to = isAhead and '+inf' or string.format('%d', now - ARGV[1])

local last = redis.call('ZRANGEBYSCORE', KEYS[1], from, to, 'WITHSCORES', 'LIMIT', ARGV[2] - 1, 1)[2]
local open = redis.call('ZRANGEBYSCORE', KEYS[1], from, last or to)
local goesOn = last and '(' .. last
if not last and not isAhead and redis.call('ZCOUNT', KEYS[1], ahead, '+inf') > 0 then goesOn = ahead end
if goesOn then
  redis.call('SET', KEYS[2], goesOn)
else
  redis.call('SET', KEYS[2], 'END', 'PX', ARGV[3])
end
return { goesOn and 1 or 0, unpack(open) }
