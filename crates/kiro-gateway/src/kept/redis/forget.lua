-- ARGV: name. Returns 1, or 0 when the response was not there.
return forget(ARGV[3])
