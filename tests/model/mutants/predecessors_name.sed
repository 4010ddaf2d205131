# drain: what a thread did before its first record goes to the lane's last thread.
# File: daemon/drain/drain.c
# Sources: daemon/drain/drain.c
s/drain_receive_at_before(drain, i, record.instance);/;/
