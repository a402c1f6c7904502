/* From a byte written by a thread on the other core to the handler called. */
#ifndef LATENCY_H
#define LATENCY_H

/* What setup has to watch: files that stay idle, and the pipe, whose handler calls latency_called first of all. */
extern int *latency_idle, latency_pipe;
void latency_called(void);
/* How often it was called: run turns the loop until that is n. */
long latency_seen(void);

/* For the harness. */
void latency_prepare(long idle, long n);
void latency_measure(long (*run)(long n));

#endif
