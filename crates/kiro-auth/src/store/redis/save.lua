-- KEYS: record. ARGV: fence, sealed credential, life of the record in milliseconds.
-- Returns 1, or 0 when a later claim has written already.
if tonumber(ARGV[1]) < tonumber(redis.call('HGET', KEYS[1], 'written') or '0') then
  return 0
end
redis.call('HSET', KEYS[1], 'written', ARGV[1], 'sealed', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
