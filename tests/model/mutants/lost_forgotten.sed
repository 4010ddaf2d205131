# client: what was lost under a refused frame is not told where another enter follows.
# File: client/slow.c
# Sources: client/slow.c
/^void sa_slow_enter/,/^}/ s/head = flush_lost(self, lane, head);/;/
