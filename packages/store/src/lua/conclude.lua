-- Gives orders their outcomes, once, and tells the ingresses that wait for them.
--
-- KEYS[1]      the shard's set of open orders
-- KEYS[2]      what is known of the archive, a hash: `outbox` is in it while outcomes are appended to the outbox
-- KEYS[3]      the shard's outbox, a stream: one entry a call, a field for each order that was concluded, its outcome as value
-- KEYS[4..n]   the orders' hashes
-- ARGV[..]     for each order two: orderId, outcome (it begins with a final result code; '' leaves it as it is). A script that calls this one
--              gives in ARGV.records what it has read of the orders: outcome, waiting, terms
--
-- Returns      for each order the outcome that stands: the given one, or an earlier one; '' if there is none

local time = redis.call('TIME')
local now = time[1] .. string.format('%03d', math.floor(time[2] / 1000))
local standing, closed, appended, told, news = {}, {}, {}, {}, {}

for i = 4, #KEYS do
  local n = i - 3
  local orderId, outcome = ARGV[n * 2 - 1], ARGV[n * 2]
  local kept = ARGV.records and ARGV.records[n] or redis.call('HMGET', KEYS[i], 'outcome', 'waiting', 'terms')
  if kept[1] and kept[3] then
    standing[n] = kept[1]
  elseif outcome == '' or not kept[3] then
    standing[n] = ''
  else
    standing[n] = outcome
    redis.call('HSET', KEYS[i], 'outcome', outcome, 'concludedAt', now)
    redis.call('HDEL', KEYS[i], 'job', 'waiting')
    closed[#closed + 1] = orderId
    appended[#appended + 1], appended[#appended + 2] = orderId, outcome
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
if #closed > 0 and redis.call('HEXISTS', KEYS[2], 'outbox') == 1 then
  redis.call('XADD', KEYS[3], '*', unpack(appended))
end
for channel, message in pairs(news) do redis.call('SPUBLISH', channel, cjson.encode(message)) end
return standing
