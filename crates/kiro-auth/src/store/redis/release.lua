-- KEYS: lease. ARGV: owner.
-- Somebody else may hold the lease since ours ran out.
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
