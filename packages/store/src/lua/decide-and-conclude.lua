-- Decides orders and concludes them in one step, where one node holds all keys. `reserve`,
-- `conclude` and `drainJoined` are the scripts of these names, as functions of their KEYS and ARGV.
-- If the orders are all of a round of their job, the round may end in this step, too. Nothing is
-- reserved for an order that is concluded, that names another job, or whose record is gone because
-- the master that held it was lost; nor if it was claimed anew since, perhaps with other terms, and
-- has joined the same job.
--
-- KEYS[1..]    those of `reserve`, then those of `conclude`, then those of `drainJoined` if the
--              round ends
-- ARGV[1]      the number of keys of `reserve`
-- ARGV[2..5]   the arguments of `reserve`
-- ARGV[6]      the job that the orders were judged in
-- ARGV[7]      1 if `conclude` need not ask whether outcomes are appended to the outbox
-- ARGV[8]      1 if the round ends
-- ARGV[9..]    for each order two: orderId; claim time in ms; then, if the round ends, ARGV[2..5]
--              of `drainJoined`
--
-- Returns      the reply of `reserve`; for each order the outcome that stands, '' if none does; and
--              the reply of `drainJoined` if the round ends. The last two are empty if it is too
--              late to decide

local reserveKeys = tonumber(ARGV[1])
local concludeKeys = reserveKeys + 3 -- Up to the orders.
local ends = ARGV[8] == '1'
local orders, records, leftOut = (#ARGV - (ends and 12 or 8)) / 2, {}, {}
for i = 1, orders do
  local record = redis.call('HMGET', KEYS[concludeKeys + i], 'outcome', 'waiting', 'terms', 'job',
    'claimedAt')
  -- A damaged claim time counts as the given one: the order must end.
  local claimedAt = tonumber(ARGV[8 + 2 * i])
  local isAnother = record[4] ~= ARGV[6] or (tonumber(record[5]) or claimedAt) ~= claimedAt
  records[i], leftOut[i] = record, not record[3] or record[1] or isAnother
end

local reserveArgs = { unpack(ARGV, 2, 5) }
reserveArgs.leftOut = leftOut
local decided = reserve({ unpack(KEYS, 1, reserveKeys) }, reserveArgs)
if #decided == 2 then return { decided, {}, {} } end

local keys, places = { unpack(KEYS, reserveKeys + 1, concludeKeys) }, {}
local outcomes = { records = {}, now = decided[1], appends = ARGV[7] }
for i = 1, orders do
  if not leftOut[i] then
    keys[#keys + 1] = KEYS[concludeKeys + i]
    local outcome = decided[2 + i] ~= 'UNREADABLE' and decided[2 + i] or ''
    outcomes[#outcomes + 1], outcomes[#outcomes + 2] = ARGV[7 + 2 * i], outcome
    outcomes.records[#keys - 3], places[#keys - 3] = records[i], i
  end
end
local standing = {}
for i = 1, orders do standing[i] = records[i][1] or '' end
for n, outcome in ipairs(conclude(keys, outcomes)) do standing[places[n]] = outcome end
local drained = ends
  and drainJoined({ unpack(KEYS, #KEYS - 1) }, { ARGV[6], unpack(ARGV, #ARGV - 3) })
return { decided, standing, drained or {} }
