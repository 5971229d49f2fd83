-- Takes orderIds in, each once, and says of those taken in before how they stand.
--
-- KEYS[1]      the shard's set of open orders
-- KEYS[2]      the id of the job that orders may join, while there is one; what joins it goes into a list, at this key, ':'
--              and the id
-- KEYS[3..n]   the orders' hashes
-- ARGV[1]      the job that will be answerable for the newly claimed, if they join no other
-- ARGV[2]      the channel of the ingress that waits
-- ARGV[3]      what a job is to know of these orders if they join it; '' if they are to have a job of their own
-- ARGV[4]      the time by the ingress's clock (ms)
-- ARGV[5..]    for each order five: orderId, terms, packed request, clientId, paymentRequestId
--
-- Returns      the number of open orders of the shard; 1 if there was a job to join (and ARGV[3] says whether they did), else 0;
--              then for each order that was taken in before six: which of the orders it is (1 is the first); OPEN, CONCLUDED,
--              INCONSISTENT, or UNREADABLE (a newer version's, or no record); its paymentRequestId; its outcome ('' while open); the job it names; its age in ms

-- A job may be joined for this time (ms) from its claim or its worker's last sign of life on: what joins a job whose ingress died
-- before it was enqueued, or whose worker died, is requeued late. Not more than ROUND_MS of job-rounds.ts: see expiries.ts.
local JOIN_MS = 50
-- So many groups have joined a job at once, with those its worker has in hand; those after them begin another job, for
-- another worker.
local JOINS_MAX = 64
-- What joined a job that nobody took for so long (s) is requeued without it. Set by a clock that is ahead it is there for longer,
-- and only takes up room.
local JOINED_S_MAX = 86400

-- When the ingress's clock is ahead of Redis's by so much (ms), the record says what it showed, too: whichever of them is wrong, no
-- order is taken for older than it is.
local APART_MS = 1000

local time = redis.call('TIME')
local now = time[1] .. string.format('%03d', math.floor(time[2] / 1000))
local job, channel = ARGV[1], ARGV[2]
local isBehind = ARGV[4] - now >= APART_MS
local toJoin = ARGV[3] ~= '' and redis.call('GET', KEYS[2])
if toJoin then job = toJoin end
-- A record's version begins its packed request. What begins with none was damaged, and has the rest of it.
local function versionOf(packed) return tonumber(string.match(packed, '^%d+')) or 0 end

local opened, reply = {}, { 0, toJoin and 1 or 0 }
local allNew, claimed = redis.call('EXISTS', unpack(KEYS, 3)) == 0, {} -- Most groups are; but one may have an order twice.

for i = 3, #KEYS do
  local at = 5 + (i - 3) * 5
  local orderId, terms, request, client, paymentRequestId = unpack(ARGV, at, at + 4)
  if (allNew and not claimed[orderId]) or redis.call('EXISTS', KEYS[i]) == 0 then
    claimed[orderId] = true
    redis.call('HSET', KEYS[i], 'terms', terms, 'request', request, 'client', client, 'paymentRequestId',
      paymentRequestId, 'claimedAt', now, 'job', job, 'waiting', channel)
    if isBehind then redis.call('HSET', KEYS[i], 'sentAt', ARGV[4]) end
    opened[#opened + 1] = now
    opened[#opened + 1] = orderId
  else
    local kept = redis.pcall('HMGET', KEYS[i], 'terms', 'paymentRequestId', 'outcome', 'job', 'waiting', 'claimedAt',
      'request')
    local state = 'OPEN'
    if kept.err or versionOf(kept[7] or '') > versionOf(request) then
      kept, state = {}, 'UNREADABLE'
    elseif kept[1] ~= terms then
      state = 'INCONSISTENT'
    elseif kept[3] then
      state = 'CONCLUDED'
    elseif not string.find(' ' .. (kept[5] or '') .. ' ', ' ' .. channel .. ' ', 1, true) then
      redis.call('HSET', KEYS[i], 'waiting', (kept[5] and kept[5] ~= '') and kept[5] .. ' ' .. channel or channel)
    end
    local age = string.format('%.0f', now - (tonumber(kept[6]) or now))
    for _, word in ipairs({ i - 2, state, kept[2] or '', kept[3] or '', kept[4] or '', age }) do reply[#reply + 1] = word end
  end
end

if #opened > 0 then
  redis.call('ZADD', KEYS[1], unpack(opened))
  if toJoin then
    local list = KEYS[2] .. ':' .. job
    local joins = redis.call('RPUSH', list, ARGV[3])
    if joins == 1 then redis.call('EXPIRE', list, JOINED_S_MAX) end
    if joins == JOINS_MAX then redis.call('DEL', KEYS[2]) end
  elseif redis.call('SET', KEYS[2], job, 'NX', 'GET', 'PX', JOIN_MS) then
    reply[2] = 1
  end
end
reply[1] = redis.call('ZCARD', KEYS[1])
return reply
