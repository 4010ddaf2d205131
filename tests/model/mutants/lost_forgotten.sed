# client: what was lost under a refused frame is not told where another enter follows.
# File: client/calls/slow_path.c
# Sources: client/calls/slow_path.c
/^void sa_slow_enter/,/^}/ s/head = sa_flush_lost(self, lane, head);/;/
