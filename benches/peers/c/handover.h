/* A list under a lock, for the peers that bring no more than a way to wake the loop from another thread. */
#ifndef HANDOVER_H
#define HANDOVER_H

#include <stdbool.h>

/* Puts a call there; true when the list was empty, so that the loop is to be woken. */
bool handover_put(void (*run)(void *), void *private_data);
/* Takes all that is there, and runs it. */
void handover_run(void);

#endif
