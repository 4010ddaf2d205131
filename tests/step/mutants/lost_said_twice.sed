# What a LOST has said is said again after a death.
# Script: refusal, counted in place
# File: daemon/core/reader.c
# Sources: daemon/core/reader.c
s/until && until <= position ? 0 : lost.waiting/lost.waiting/
