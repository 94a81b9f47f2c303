-- Raises what is spent of purses to what was known of them, after their data was lost.
-- KEYS: one per purse. ARGV: what was spent at least and when it ends in milliseconds, of each.
for i = 1, #KEYS do
  local least, ends_at = ARGV[2 * i - 1], ARGV[2 * i]
  if tonumber(redis.call('HGET', KEYS[i], 'spent') or 0) < tonumber(least) then
    redis.call('HSET', KEYS[i], 'spent', least)
    redis.call('PEXPIREAT', KEYS[i], string.format('%.0f', ends_at + 3600000))
  end
end
return #KEYS
