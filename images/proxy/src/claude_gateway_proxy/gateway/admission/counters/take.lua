-- Takes all demands of a request, or nothing.
-- KEYS: the holder's mark, then one key per demand. ARGV: the holder, the mark's life in milliseconds, the life of a
-- slot and of a reservation, then one text per demand: its kind and four numbers. The reservations of a purse are in a
-- set beside it, so that those of a pod that died count as spent. A purse always says what is spent; one that does not
-- exist, which may have been lost, begins with what the caller knows.
-- Returns a text of numbers: 1 and what counted before, per demand; or 0, the index of the demand without room, and the
-- wait for it in milliseconds. Every number is an integer below 2^53.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function whole(number) return string.format('%.0f', number) end
local ends = whole(now + ARGV[3])
-- What ends later than a life from now was noted before the clock went back.
local function shorten(set)
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', set, '(' .. ends, '+inf', 'LIMIT', 0, 100)) do
    redis.call('ZADD', set, 'XX', ends, member)
  end
end

if redis.call('GET', KEYS[1]) == '0' then return '0 0 0' end -- its holder has given it up
local before, left, demands, refused, wait = {}, {}, {}, nil, -1
for i = 2, #KEYS do
  local demand = {string.match(ARGV[i + 2], '(%a+) (%S+) (%S+) (%S+) (%S+)')}
  demands[i] = demand
  local kind, a, b, c = demand[1], tonumber(demand[2]), tonumber(demand[3]), tonumber(demand[4])
  local over = nil
  if kind == 'bucket' then -- a: units per minute, b: ticks that may be in it, c: ticks to add
    local found = redis.call('HMGET', KEYS[i], 'ticks', 'at')
    local ticks = 0
    if found[1] then
      local since = tonumber(found[2])
      -- Where the clock went back, the bucket drains from now on, also if nothing is taken.
      if since > now then redis.call('HSET', KEYS[i], 'at', whole(now)) end
      ticks = math.max(0, found[1] - math.max(0, now - since) * a)
    end
    left[i] = ticks
    before[i] = math.ceil(ticks / 60000)
    if ticks > b then over = math.ceil((ticks - b) / a) end
  elseif kind == 'slots' then -- a: how many there are
    redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now)
    shorten(KEYS[i])
    before[i] = redis.call('ZCARD', KEYS[i])
    if before[i] >= a then over = 0 end
  else -- a purse, or one that takes a request as a whole: a: the amount, below 0 for any, b: to reserve, c: when it ends,
    -- the fourth: what is known to be spent
    local held = KEYS[i] .. ':held'
    shorten(held)
    for _, member in ipairs(redis.call('ZRANGEBYSCORE', held, '-inf', now, 'LIMIT', 0, 100)) do
      local lost = string.match(member, '%d+$')
      redis.call('ZREM', held, member)
      redis.call('HINCRBY', KEYS[i], 'reserved', whole(0 - lost))
      redis.call('HINCRBY', KEYS[i], 'spent', lost)
    end
    local found = redis.call('HMGET', KEYS[i], 'spent', 'reserved')
    local spent, reserved = tonumber(found[1] or demand[5]), tonumber(found[2] or 0)
    before[i] = spent
    local alone = kind ~= 'whole' and reserved == 0 and spent < a -- the rest is spent one request at a time
    if a >= 0 and spent + reserved + b > a and not alone then over = math.max(0, c - now) end
  end
  if over and over > wait then refused, wait = i - 2, over end
end
if refused then return '0 ' .. refused .. ' ' .. whole(wait) end

for i = 2, #KEYS do
  local kind, a, b, c, known = unpack(demands[i])
  if kind == 'bucket' then
    local ticks = left[i] + c
    redis.call('HSET', KEYS[i], 'ticks', whole(ticks), 'at', whole(now))
    redis.call('PEXPIRE', KEYS[i], whole(math.ceil(ticks / a) + 60000))
  elseif kind == 'slots' then
    redis.call('ZADD', KEYS[i], ends, ARGV[1])
    redis.call('PEXPIRE', KEYS[i], whole(2 * ARGV[3]))
  else
    redis.call('HSETNX', KEYS[i], 'spent', known)
    redis.call('HINCRBY', KEYS[i], 'reserved', b)
    redis.call('PEXPIREAT', KEYS[i], whole(c + 3600000))
    redis.call('ZADD', KEYS[i] .. ':held', ends, ARGV[1] .. ' ' .. b)
    redis.call('PEXPIREAT', KEYS[i] .. ':held', whole(c + 3600000))
  end
end
redis.call('SET', KEYS[1], 1, 'PX', ARGV[2])
local answer = {'1'}
for i = 2, #KEYS do answer[i] = whole(before[i]) end
return table.concat(answer, ' ')
