/* The two halves of the libtevent program. */
#ifndef PEER_TEVENT_H
#define PEER_TEVENT_H

#include "harness.h"

#include <sys/time.h>
#include <talloc.h>
#include <tevent.h>

extern struct tevent_context *ev;
/* What the handlers raise. */
extern long count;
/* Operations that belong together. */
extern long group;

void setup_context(long size, long of);
/* Turns the loop until the count is there. */
void turn_until(long n);

/* tevent_requests.c: requests, the queue, other threads, memory. */
long run_request_post(long n);
long run_request_nopost(long n);
long run_queue(long n);
void setup_closures(long size, long of);
long run_closures(long n);
void setup_memory_fds(long size, long of);
long run_memory_fds(long n);
long run_memory_timers(long n);
long run_memory_requests(long n);
long run_memory_immediates(long n);

#endif
