-- Sets until when the holders of order codes are kept, as the codes' records say now. A code
-- without a holder has none afterwards either.
--
-- KEYS[1..n]   the codes' holders
-- ARGV[1..n]   for each the time (ms) until which it is kept; 0: for ever
--
-- Returns      nothing

for i, key in ipairs(KEYS) do
  if ARGV[i] == '0' then
    redis.call('PERSIST', key)
  else
    redis.call('PEXPIREAT', key, ARGV[i])
  end
end
