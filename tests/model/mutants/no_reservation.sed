# client: an enter asks for its own slot only, not for its exit's.
# File: client/calls/cycles.c
# Sources: client/calls/cycles.c
s/fits(lane, at, 3)/at.head + 1 <= lane->limit/
