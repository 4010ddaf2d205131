# frames: when the outermost frame of a name leaves first, the rest of the time is added to no path.
# File: daemon/attribution/frames.c
# Sources: daemon/attribution/frames.c
/^static FRAMES_SELDOM void take_out/,/^}/ s/pass_on(books, lane, i, at);/;/
