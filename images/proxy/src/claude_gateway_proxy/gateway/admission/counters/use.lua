-- Adds what callers used, each batch of a process once. KEYS: the number of its last batch, the time since which all is
-- known, then one hash per caller and period. ARGV: the batch's number, the lives of both keys in seconds, the time, 1 if
-- the process lost something before it, then per hash its life in seconds, the count of its fields, and each with its
-- amount.
local last = redis.call('GET', KEYS[1])
if last and tonumber(last) >= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
if ARGV[5] == '1' then
  redis.call('SET', KEYS[2], ARGV[4])
else
  redis.call('SETNX', KEYS[2], ARGV[4])
end
redis.call('EXPIRE', KEYS[2], ARGV[3])
local at = 6
for i = 3, #KEYS do
  local life, count = ARGV[at], tonumber(ARGV[at + 1])
  at = at + 2
  for _ = 1, count do
    redis.call('HINCRBY', KEYS[i], ARGV[at], ARGV[at + 1])
    at = at + 2
  end
  redis.call('EXPIRE', KEYS[i], life)
end
return 1
