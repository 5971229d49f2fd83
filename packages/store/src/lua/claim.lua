-- Takes paymentIds in, each once, and says of those taken in before how they stand.
--
-- KEYS[1]      the shard's set of open orders
-- KEYS[2..n]   the orders' hashes
-- ARGV[1]      the job that will be answerable for the newly claimed
-- ARGV[2]      the channel of the ingress that waits
-- ARGV[3..]    for each order five: paymentId, terms, packed request, clientId, paymentRequestId
--
-- Returns      the number of open orders of the shard, then for each order that was taken in before six: which of the orders
--              it is (1 is the first); OPEN, CONCLUDED or INCONSISTENT; its paymentRequestId; its outcome ('' while open);
--              the job it names; its age in ms

local time = redis.call('TIME')
local now = time[1] .. string.format('%03d', math.floor(time[2] / 1000))
local job, channel = ARGV[1], ARGV[2]
local opened, reply = {}, { 0 }
local allNew, claimed = redis.call('EXISTS', unpack(KEYS, 2)) == 0, {} -- Most groups are; but one may have an order twice.

for i = 2, #KEYS do
  local at = 3 + (i - 2) * 5
  local paymentId, terms, request, client, paymentRequestId = unpack(ARGV, at, at + 4)
  if (allNew and not claimed[paymentId]) or redis.call('EXISTS', KEYS[i]) == 0 then
    claimed[paymentId] = true
    redis.call('HSET', KEYS[i], 'terms', terms, 'request', request, 'client', client, 'paymentRequestId',
      paymentRequestId, 'claimedAt', now, 'job', job, 'waiting', channel)
    opened[#opened + 1] = now
    opened[#opened + 1] = paymentId
  else
    local kept = redis.call('HMGET', KEYS[i], 'terms', 'paymentRequestId', 'outcome', 'job', 'waiting', 'claimedAt')
    local state = 'OPEN'
    if kept[1] ~= terms then
      state = 'INCONSISTENT'
    elseif kept[3] then
      state = 'CONCLUDED'
    elseif not string.find(' ' .. (kept[5] or '') .. ' ', ' ' .. channel .. ' ', 1, true) then
      redis.call('HSET', KEYS[i], 'waiting', (kept[5] and kept[5] ~= '') and kept[5] .. ' ' .. channel or channel)
    end
    local age = string.format('%.0f', now - (kept[6] or now))
    for _, word in ipairs({ i - 1, state, kept[2], kept[3] or '', kept[4] or '', age }) do reply[#reply + 1] = word end
  end
end

if #opened > 0 then redis.call('ZADD', KEYS[1], unpack(opened)) end
reply[1] = redis.call('ZCARD', KEYS[1])
return reply
