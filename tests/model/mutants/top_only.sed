# client: an exit looks at the top of the stack only.
# File: client/calls/slow_path.c
# Sources: client/calls/slow_path.c
/^static int find(/,/^}/ s/; i >= 0; i--)/, bottom = i; i >= 0 \&\& i == bottom; i--)/
