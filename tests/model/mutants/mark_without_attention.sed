# client: a thread is not told that another one exited its frame.
# File: client/lanes/cross_thread.c
# Sources: client/lanes/cross_thread.c
/atomic_fetch_or_explicit(&lane->attention, SHM_ATTENTION_FOREIGN/d
