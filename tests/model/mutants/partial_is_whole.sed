# spans: a span of which an enter was refused is a call like others.
# File: daemon/attribution/spans.c
/^bool spans_note_partial/,/^}/s/entry->flags |= INSTANCE_PARTIAL;//
