-- Concludes orders, each once, and announces their outcomes to the ingresses that wait for them.
--
-- KEYS[1]      the shard's set of open orders
-- KEYS[2]      the state of the archive, a hash: it has the field `outbox` while outcomes are
--              appended to the outbox
-- KEYS[3]      the shard's outbox, a stream: one entry for each call. It has a field for each
--              acquirer, named by its id and a colon, with a JSON list: for each concluded order
--              two, its paymentId and its outcome, '' for SUCCESS
-- KEYS[4..n]   the orders' hashes
-- ARGV[..]     for each order two: orderId; outcome, which begins with a final result code, or ''
--              to leave the order as it is
-- ARGV[last]   1 if outcomes were appended to the outbox a moment ago: then it is not asked again.
--              A script that calls this one passes it in ARGV.appends, and in ARGV.records what it
--              has read of each order: outcome, waiting, terms; and in ARGV.now the time
--
-- Returns      for each order the outcome that stands: the given one or an earlier one; '' if none
--              does

local time = not ARGV.now and redis.call('TIME')
local appends = (ARGV.appends or ARGV[#ARGV]) == '1'
local now = ARGV.now or time[1] .. string.format('%03d', math.floor(time[2] / 1000))
local standing, closed, appended, byWaiting, messages = {}, {}, {}, {}, {}

for i = 4, #KEYS do
  local n = i - 3
  local orderId, outcome = ARGV[n * 2 - 1], ARGV[n * 2]
  local kept = ARGV.records and ARGV.records[n]
    or redis.call('HMGET', KEYS[i], 'outcome', 'waiting', 'terms')
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
    local announced = byWaiting[waiting] or {}
    announced[#announced + 1] = orderId
    announced[#announced + 1] = outcome
    byWaiting[waiting] = announced
  end
end

for waiting, announced in pairs(byWaiting) do -- The same ingress waits for most orders of a group.
  for channel in string.gmatch(waiting, '%S+') do
    local message = messages[channel] or { 1, now } -- 1 is the version of a message.
    for _, word in ipairs(announced) do message[#message + 1] = word end
    messages[channel] = message
  end
end

if #closed > 0 then redis.call('ZREM', KEYS[1], unpack(closed)) end
if #closed > 0 and (appends or redis.call('HEXISTS', KEYS[2], 'outbox') == 1) then
  -- Where nobody asks, the stream may be gone meanwhile, and is not made anew.
  local byAcquirer, words = {}, appends and { 'NOMKSTREAM', '*' } or { '*' }
  for n = 1, #appended, 2 do
    local acquirer = string.match(appended[n], '^[^:]*:')
    local list = byAcquirer[acquirer] or {}
    list[#list + 1] = string.sub(appended[n], #acquirer + 1)
    list[#list + 1] = appended[n + 1] == 'SUCCESS' and '' or appended[n + 1]
    byAcquirer[acquirer] = list
  end
  for acquirer, list in pairs(byAcquirer) do
    words[#words + 1], words[#words + 2] = acquirer, cjson.encode(list)
  end
  redis.call('XADD', KEYS[3], unpack(words))
end
for channel, message in pairs(messages) do
  redis.call('SPUBLISH', channel, cjson.encode(message))
end
return standing
