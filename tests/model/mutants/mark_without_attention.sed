# client: a thread is not told that another one exited its frame.
# File: client/cross_thread.c
# Sources: client/cross_thread.c
/atomic_fetch_or_explicit(&lane->attention, SHM_ATTENTION_FOREIGN/d
