# client: an exit looks at the top of the stack only.
# File: client/slow_path.c
# Sources: client/slow_path.c
/^static int find(/,/^}/ s/; i >= 0; i--)/, bottom = i; i >= 0 \&\& i == bottom; i--)/
