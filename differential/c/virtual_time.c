/*
 * Loaded in front of the C library by LD_PRELOAD, into both drivers: a clock that stands still.
 *
 * It moves only where a process would sleep: in a wait for files that has nothing to report, by the time-out it was
 * given, and in a sleep. So no scenario takes time, none depends on how busy the machine is, and the moment at which
 * everything happens can be compared to the microsecond. What is ready is still the kernel's answer, in its order.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long long now_us = 1000000000000000LL;

/* Nothing was ready so often in a row: the loop waits for what never comes. */
enum { IDLE_WAITS = 10000 };
/* For everything else that never ends; in seconds of the real clock. */
enum { LONGEST = 10 };

__attribute__((constructor)) static void watch(void)
{
	alarm(LONGEST);
}

static void pass(long long us)
{
	now_us += us;
}

static int waited(int ready, int timeout)
{
	static int idle;

	idle = ready == 0 ? idle + 1 : 0;
	if (idle > IDLE_WAITS) {
		fputs("virtual_time: the loop waits for ever\n", stderr);
		abort();
	}
	if (ready == 0 && timeout > 0) {
		pass(timeout * 1000LL);
	}
	return ready;
}

int gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
	(void)tz;
	tv->tv_sec = now_us / 1000000;
	tv->tv_usec = now_us % 1000000;
	return 0;
}

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	(void)clock;
	ts->tv_sec = now_us / 1000000;
	ts->tv_nsec = now_us % 1000000 * 1000;
	return 0;
}

int nanosleep(const struct timespec *wanted, struct timespec *left)
{
	(void)left;
	pass(wanted->tv_sec * 1000000LL + wanted->tv_nsec / 1000);
	return 0;
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *wanted, struct timespec *left)
{
	(void)clock;
	if (flags == TIMER_ABSTIME) {
		now_us = wanted->tv_sec * 1000000LL + wanted->tv_nsec / 1000;
		return 0;
	}
	return nanosleep(wanted, left);
}

int epoll_wait(int epoll, struct epoll_event *events, int room, int timeout)
{
	return waited(syscall(SYS_epoll_wait, epoll, events, room, 0), timeout);
}

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
	int ready = syscall(SYS_poll, fds, count, 0);

	/* Looking at files without waiting is no sign of anything. */
	return timeout == 0 ? ready : waited(ready, timeout);
}
