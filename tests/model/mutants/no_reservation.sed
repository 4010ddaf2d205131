# client: an enter asks for its own slot only, not for its exit's.
# File: client/cycles.c
# Sources: client/cycles.c
s/fits(lane, at, 3)/at.head + 1 <= lane->limit/
