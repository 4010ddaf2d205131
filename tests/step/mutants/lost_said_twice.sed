# What a LOST has said is said again after a death.
# Script: refusal, counted in place
# File: daemon/drain/segment_reader.c
# Sources: daemon/drain/segment_reader.c
s/until && until <= position ? 0 : lost.waiting/lost.waiting/
