-- KEYS: gateways (sorted set: of each the moment at which it last counted with the others, in milliseconds since the
-- epoch); shares (hash: of each the millionths of every limit that it may let in alone, and their sum, `all`); the
-- millionths of every limit that are open to those who count together.
-- ARGV: the gateway; the moment at which it says so, by the clock of Redis as far as it knows it, or 0 when it does
-- not, or nothing when it leaves; the share that it believes to have; milliseconds of silence after which a gateway
-- may be counting alone, and those after which it is forgotten.
-- Returns the gateway's share, and the time. Shares never add up to more than a whole: room is made before it is
-- given away.
local WHOLE = 1000000
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local me, said, held = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local known = redis.call('HMGET', KEYS[2], 'all', me)
local all, mine = tonumber(known[1] or '0'), tonumber(known[2] or '0')
local function forget(id, share)
  all = all - share
  redis.call('HDEL', KEYS[2], id)
  redis.call('ZREM', KEYS[1], id)
end
-- Most of the time nobody is silent, and this is all that is asked.
local silent, away = 0, 0
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[4])) do
  local share = tonumber(redis.call('HGET', KEYS[2], id) or '0')
  if tonumber(redis.call('ZSCORE', KEYS[1], id)) <= now - ARGV[5] then
    forget(id, share)
    mine = id == me and 0 or mine
  elseif id ~= me then
    silent, away = silent + 1, away + share
  end
end
local share = 0
if said then
  if said == 0 or said > now then
    said = now
  end
  -- A message that was long on its way tells nothing new.
  local before = tonumber(redis.call('ZSCORE', KEYS[1], me) or '0')
  redis.call('ZADD', KEYS[1], string.format('%.0f', math.max(before, said)), me)
else
  forget(me, mine)
end
local n = redis.call('ZCARD', KEYS[1])
if said then
  local others = all - mine
  share = math.max(math.min(math.floor(WHOLE / n), WHOLE - others), 0)
  -- What it has stays with it until it says that it has less: the answer may be lost.
  local kept = math.max(share, held)
  redis.call('HSET', KEYS[2], me, kept, 'all', others + kept)
else
  redis.call('HSET', KEYS[2], 'all', all)
end
-- Those who are here have what is fair at the least: of those who are not, some may be dead.
local fair = n > 0 and math.floor(WHOLE * (n - silent) / n) or WHOLE
redis.call('SET', KEYS[3], math.max(WHOLE - away, fair), 'PX', ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
return {share, now}
