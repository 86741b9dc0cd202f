-- KEYS: lease, record.
-- ARGV: owner, life of the lease and of the record in milliseconds, the highest fence the owner knows of.
-- Returns the fence of the claim, or 0 while somebody else holds the lease.
--
-- An owner that asks again, because the first answer was lost, receives a higher fence: gaps do no harm.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return 0
end
local function number(field)
  return tonumber(redis.call('HGET', KEYS[2], field) or '0')
end
-- Above what was written as well, because a Redis that has lost its newest writes may know of that only.
local fence = math.max(number('granted'), number('written'), tonumber(ARGV[4])) + 1
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('HSET', KEYS[2], 'granted', fence)
-- A tenant can claim what is no token at all, so what was never written is forgotten within the hour.
local life = tonumber(ARGV[3])
if redis.call('HEXISTS', KEYS[2], 'written') == 0 then
  life = math.min(life, 3600000)
end
redis.call('PEXPIRE', KEYS[2], life)
return fence
