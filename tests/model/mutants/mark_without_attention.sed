# client: a thread is not told that another one exited its frame.
# File: client/foreign.c
# Sources: client/foreign.c
/atomic_fetch_or_explicit(&lane->attention, SHM_ATTENTION_FOREIGN/d
