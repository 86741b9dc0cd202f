-- KEYS: places (sorted set: of each exchange the moment at which its place is free unless it is kept, in
-- milliseconds since the epoch); how much of every limit is open, as in beat.lua.
-- ARGV: the exchange that asks; how many places there are; their life in milliseconds.
-- Returns 1, or 0 when there is none.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local has = redis.call('ZSCORE', KEYS[1], ARGV[1])
local open = tonumber(redis.call('GET', KEYS[2]) or '1000000') / 1000000
-- Shares are rounded down, so what is open is rounded up.
if not has and redis.call('ZCARD', KEYS[1]) >= math.ceil(ARGV[2] * open) then
  return 0
end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
