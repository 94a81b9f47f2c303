-- Keeps slots that are held; one that was freed meanwhile stays free. KEYS: one per slot. ARGV: the life of a slot in milliseconds, then the holder of each.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for i = 1, #KEYS do
  redis.call('ZADD', KEYS[i], 'XX', string.format('%.0f', now + ARGV[1]), ARGV[i + 1])
  redis.call('PEXPIRE', KEYS[i], string.format('%.0f', 2 * ARGV[1]))
end
return #KEYS
