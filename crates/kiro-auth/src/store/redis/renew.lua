-- KEYS: lease. ARGV: owner, life of the lease in milliseconds.
-- Returns 1, or 0 when the lease is not the owner's any more. A lease that has run out is not taken again:
-- the message may come late, after the owner has given the lease back.
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 0
