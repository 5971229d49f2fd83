-- Decides orders and gives them their outcomes in one step, where one node keeps all keys. `reserve` and `conclude` are
-- the scripts of these names, as functions of their KEYS and ARGV.
--
-- KEYS[1..]    those of `reserve`, then those of `conclude`
-- ARGV[1]      the number of keys of `reserve`
-- ARGV[2..5]   the arguments of `reserve`
-- ARGV[6..]    the orderId of each order
--
-- Returns      what `reserve` does, and what `conclude` does; if it is too late to decide, the latter is empty

local reserveKeys = tonumber(ARGV[1])
local decided = reserve({ unpack(KEYS, 1, reserveKeys) }, { unpack(ARGV, 2, 5) })
local outcomes = {}
for i = 3, #decided do
  outcomes[2 * i - 5], outcomes[2 * i - 4] = ARGV[3 + i], decided[i]
end
if #outcomes == 0 then return { decided, {} } end
return { decided, conclude({ unpack(KEYS, reserveKeys + 1) }, outcomes) }
