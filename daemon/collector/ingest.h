/* SPDX-License-Identifier: MIT */
/*
 * The ingest socket: connections until their hello is read.
 */
#pragma once

struct collector;
struct ingest;

/* Consumes the descriptor, also on failure. */
int ingest_new(struct ingest **ret, struct collector *collector, int listen_fd);
struct ingest *ingest_free(struct ingest *ingest);
/* The link to the next one in the collector's list. */
struct ingest **ingest_next(struct ingest *ingest);
/* Serves the connections that waited for their user's next share. */
void ingest_resume(struct ingest *ingest);
