-- Counts orders in among the recent ones of their customers, codes and merchants, each once, and says how many
-- others each of them has in each window.
--
-- KEYS[1..n]   sorted sets of paymentIds by claim time in ms, one for each distinct subject
-- ARGV[1]      in JSON, two lists:
--              the kinds of subjects: for how many ms after an order its set must be there; for how many ms more the set is kept;
--              and the windows in ms;
--              the keys, flat: the kind of each (1 is the first), negative if it is known to be there for as long as it must; how
--              many orders follow; and which of the ARGV each of them is
-- ARGV[2..]    for each order two: claim time in ms, '' to leave it out; paymentId
--
-- Returns      for each key, each of its orders and each window, the number of other orders in it
--
-- A set is kept for longer than it must: so most orders need not see to it. The one that does forgets what no window shows any
-- more, too.

local kinds, sets = unpack(cjson.decode(ARGV[1]))
local newest = 0
for i = 2, #ARGV, 2 do newest = math.max(newest, tonumber(ARGV[i]) or 0) end
for _, kind in ipairs(kinds) do
  local span, spare = unpack(kind)
  kind.older = string.format('%d', newest - span)
  kind.needed = newest + span + spare
  kind.kept = string.format('%d', newest + 2 * span)
  kind.begins = {}
end

-- Where the windows begin that end at a claim time, as ZCOUNT takes it.
local function beginsOf(kind, claimedAt)
  local begins = kind.begins[claimedAt]
  if not begins then
    begins = {}
    for i = 3, #kind do begins[i - 2] = string.format('(%d', claimedAt - kind[i]) end
    kind.begins[claimedAt] = begins
  end
  return begins
end

local counts, at = {}, 1
for _, key in ipairs(KEYS) do
  local kind, seenTo = kinds[math.abs(sets[at])], sets[at] < 0
  local first, last = at + 2, at + 1 + sets[at + 1]
  local added, new = {}, false
  for i = first, last do
    local order = sets[i]
    if ARGV[order] ~= '' then
      added[#added + 1] = ARGV[order]
      added[#added + 1] = ARGV[order + 1]
    end
  end
  if #added > 0 then
    redis.call('ZADD', key, unpack(added))
    new = not seenTo and redis.call('PEXPIREAT', key, kind.kept, 'NX') == 1 -- All but new ones expire.
    if not seenTo and not new and redis.call('PEXPIRETIME', key) < kind.needed then
      redis.call('ZREMRANGEBYSCORE', key, '-inf', kind.older)
      redis.call('PEXPIREAT', key, kind.kept)
    end
  end
  local none = #added == 0 or (new and #added == 2)
  local countedAt, others
  for i = first, last do
    local claimedAt = ARGV[sets[i]]
    if claimedAt ~= countedAt then -- Orders of a group were mostly claimed at one time.
      countedAt, others = claimedAt, {}
      for window = 1, #kind - 2 do
        others[window] = (none or claimedAt == '') and 0
          or redis.call('ZCOUNT', key, beginsOf(kind, claimedAt)[window], claimedAt) - 1
      end
    end
    for window = 1, #others do counts[#counts + 1] = others[window] end
  end
  at = last + 1
end
return counts
