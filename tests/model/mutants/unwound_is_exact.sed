# stacks: the frame below a scope that was jumped over is exact.
# File: daemon/attribution/stacks.c
s/^        if (i)$/        if (0)/
