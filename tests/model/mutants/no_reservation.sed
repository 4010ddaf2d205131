# client: an enter asks for its own slot only, not for its exit's.
# File: client/spans.c
# Sources: client/spans.c
s/ring_has_room(lane, head, 3 + lane->owed,/ring_has_room(lane, head, 1,/
