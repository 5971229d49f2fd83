-- Gives orders their outcomes, once, and tells the ingresses that wait for them.
--
-- KEYS[1]      the shard's set of open orders
-- KEYS[2..n]   the orders' hashes
-- ARGV[..]     for each order two: orderId, outcome (it begins with a final result code; '' leaves it as it is). A script that calls this one
--              gives in ARGV.records what it has read of the orders: outcome, waiting, terms
--
-- Returns      for each order the outcome that stands: the given one, or an earlier one; '' if there is none

local time = redis.call('TIME')
local now = time[1] .. string.format('%03d', math.floor(time[2] / 1000))
local standing, closed, told, news = {}, {}, {}, {}

for i = 2, #KEYS do
  local orderId, outcome = ARGV[(i - 2) * 2 + 1], ARGV[(i - 2) * 2 + 2]
  local kept = ARGV.records and ARGV.records[i - 1] or redis.call('HMGET', KEYS[i], 'outcome', 'waiting', 'terms')
  if kept[1] and kept[3] then
    standing[i - 1] = kept[1]
  elseif outcome == '' or not kept[3] then
    standing[i - 1] = ''
  else
    standing[i - 1] = outcome
    redis.call('HSET', KEYS[i], 'outcome', outcome, 'concludedAt', now)
    redis.call('HDEL', KEYS[i], 'job', 'waiting')
    closed[#closed + 1] = orderId
    local waiting = kept[2] or ''
    local of = told[waiting] or {}
    of[#of + 1] = orderId
    of[#of + 1] = outcome
    told[waiting] = of
  end
end

for waiting, words in pairs(told) do -- Most orders of a group have the same ingress waiting.
  for channel in string.gmatch(waiting, '%S+') do
    local message = news[channel] or { 1, now } -- 1 is the version of a message.
    for _, word in ipairs(words) do message[#message + 1] = word end
    news[channel] = message
  end
end

if #closed > 0 then redis.call('ZREM', KEYS[1], unpack(closed)) end
for channel, message in pairs(news) do redis.call('SPUBLISH', channel, cjson.encode(message)) end
return standing
