/* The order of a turn, and what each kind of event promises. */
#include "say.h"

static void on_im(struct tevent_context *ev, struct tevent_immediate *im, void *name)
{
	say("immediate %s tag %d", (char *)name, (int)tevent_immediate_get_tag(im));
}

static void on_im_again(struct tevent_context *ev, struct tevent_immediate *im, void *left)
{
	say("immediate, %d left", *(int *)left);
	if (--*(int *)left > 0) {
		tevent_schedule_immediate(im, ev, on_im_again, left);
	}
}

static void on_timer(struct tevent_context *ev, struct tevent_timer *te, struct timeval now, void *name)
{
	say("timer %s tag %d zero %d", (char *)name, (int)tevent_timer_get_tag(te), tevent_timeval_is_zero(&now));
}

static void on_late(struct tevent_context *ev, struct tevent_timer *te, struct timeval now, void *due)
{
	struct timeval clock = tevent_timeval_current();
	say("not early: %d %d", tevent_timeval_compare(&now, due) >= 0, tevent_timeval_compare(&clock, due) >= 0);
}

static void on_fd(struct tevent_context *ev, struct tevent_fd *fde, uint16_t flags, void *name)
{
	say("fd %s flags %d of %d tag %d", (char *)name, flags, tevent_fd_get_flags(fde), (int)tevent_fd_get_tag(fde));
}

static void on_fd_off(struct tevent_context *ev, struct tevent_fd *fde, uint16_t flags, void *name)
{
	say("fd %s flags %d, off now", (char *)name, flags);
	tevent_fd_set_flags(fde, 0);
}

static void on_close(struct tevent_context *ev, struct tevent_fd *fde, int fd, void *name)
{
	say("close function of %s", (char *)name);
	close(fd);
}

static void on_signal(struct tevent_context *ev, struct tevent_signal *se, int signum, int count, void *info, void *name)
{
	siginfo_t *si = info;
	say("signal %s number %d count %d tag %d info %d", (char *)name, signum, count, (int)tevent_signal_get_tag(se), info != NULL);
	if (si != NULL) {
		say("  from this process %d, user %d, code %d, value %d", si->si_pid == getpid(), si->si_uid == getuid(), si->si_code,
		    si->si_code == SI_QUEUE ? si->si_value.sival_int : -1);
	}
}

static void on_child(struct tevent_context *ev, struct tevent_signal *se, int signum, int count, void *info, void *priv)
{
	siginfo_t *si = info;
	say("child: status %d code %d is the child %d", si->si_status, si->si_code, si->si_pid == *(pid_t *)priv);
	while (waitpid(-1, NULL, WNOHANG) > 0) {}
	talloc_free(se);
}

static void immediates(struct tevent_context *ev)
{
	struct tevent_immediate *a = tevent_create_immediate(ev), *b = tevent_create_immediate(ev);
	int left = 3;

	say("== immediates");
	tevent_immediate_set_tag(a, 7);
	tevent_schedule_immediate(a, ev, on_im, "a");
	tevent_schedule_immediate(b, ev, on_im, "b");
	tevent_schedule_immediate(a, ev, on_im, "a at the tail");
	run(ev);
	tevent_schedule_immediate(a, ev, on_im, "never");
	tevent_schedule_immediate(a, ev, NULL, NULL);
	run(ev);
	tevent_schedule_immediate(b, ev, on_im_again, &left);
	tevent_schedule_immediate(a, ev, on_im, "between");
	run(ev);
	tevent_schedule_immediate(a, ev, on_im, "freed");
	talloc_free(a);
	run(ev);
	talloc_free(b);
}

static void timers(struct tevent_context *ev)
{
	struct timeval soon = IN(5), later = IN(9), past = tevent_timeval_set(1, 0);
	struct tevent_timer *te;

	say("== timers");
	te = tevent_add_timer(ev, ev, later, on_timer, "later");
	tevent_timer_set_tag(te, 1);
	tevent_add_timer(ev, ev, soon, on_timer, "soon 1");
	tevent_add_timer(ev, ev, soon, on_timer, "soon 2");
	tevent_add_timer(ev, ev, past, on_timer, "past");
	tevent_add_timer(ev, ev, ZERO, on_timer, "zero 1");
	tevent_add_timer(ev, ev, ZERO, on_timer, "zero 2");
	run(ev);
	te = tevent_add_timer(ev, ev, soon, on_timer, "moved");
	tevent_add_timer(ev, ev, later, on_timer, "stays");
	tevent_update_timer(te, later);
	run(ev);
	soon = IN(3);
	tevent_add_timer(ev, ev, soon, on_late, &soon);
	run(ev);
	te = tevent_add_timer(ev, ev, soon, on_timer, "freed");
	talloc_free(te);
	run(ev);
}

static void priorities(struct tevent_context *ev)
{
	struct tevent_immediate *im = tevent_create_immediate(ev);
	struct tevent_signal *se = tevent_add_signal(ev, ev, SIGUSR1, 0, on_signal, "usr1");
	struct tevent_fd *fde;
	int fds[2], i;

	say("== priorities");
	sockets(fds);
	check(write(fds[1], "x", 1) == 1);
	fde = tevent_add_fd(ev, ev, fds[0], TEVENT_FD_READ, on_fd_off, "readable");
	tevent_add_timer(ev, ev, ZERO, on_timer, "zero");
	tevent_schedule_immediate(im, ev, on_im, "first");
	kill(getpid(), SIGUSR1);
	for (i = 0; i < 4; i++) {
		say("turn %d: %d", i, tevent_loop_once(ev));
	}
	talloc_free(se);
	talloc_free(fde);
	talloc_free(im);
	close(fds[0]);
	close(fds[1]);
}

static void fds(struct tevent_context *ev)
{
	struct tevent_fd *a, *b, *c;
	int fds[2];

	say("== fds");
	sockets(fds);
	check(write(fds[1], "x", 1) == 1);
	a = tevent_add_fd(ev, ev, fds[0], TEVENT_FD_READ, on_fd, "a");
	b = tevent_add_fd(ev, ev, fds[0], TEVENT_FD_READ | TEVENT_FD_WRITE, on_fd, "b");
	tevent_fd_set_tag(a, 5);
	c = tevent_add_fd(ev, ev, -1, TEVENT_FD_READ, on_fd, "negative");
	check(c == NULL);
	talloc_free(b);
	tevent_loop_once(ev);
	tevent_loop_once(ev);
	TEVENT_FD_WRITEABLE(a);
	say("flags %d", tevent_fd_get_flags(a));
	tevent_loop_once(ev);
	TEVENT_FD_NOT_READABLE(a);
	tevent_loop_once(ev);
	tevent_fd_set_flags(a, 0);
	say("flags %d", tevent_fd_get_flags(a));
	tevent_fd_set_close_fn(a, on_close);
	talloc_free(a);
	check(write(fds[0], "x", 1) == -1 && errno == EBADF);
	close(fds[1]);

	sockets(fds);
	a = tevent_add_fd(ev, ev, fds[0], TEVENT_FD_READ, on_fd_off, "half-closed");
	tevent_fd_set_auto_close(a);
	close(fds[1]);
	tevent_loop_once(ev);
	talloc_free(a);
	check(write(fds[0], "x", 1) == -1 && errno == EBADF);
	a = tevent_add_fd(ev, ev, 1000, TEVENT_FD_READ, on_fd, "not open");
	say("not open: %d flags %d", a != NULL, tevent_fd_get_flags(a));
	talloc_free(a);
}

static void signals(struct tevent_context *ev)
{
	struct tevent_signal *old, *new, *info;
	union sigval value = { .sival_int = 42 };
	struct sigaction before, after;
	pid_t child = 0;

	say("== signals");
	sigaction(SIGUSR2, NULL, &before);
	old = tevent_add_signal(ev, ev, SIGUSR2, 0, on_signal, "old");
	new = tevent_add_signal(ev, ev, SIGUSR2, 0, on_signal, "new");
	tevent_signal_set_tag(new, 9);
	raise(SIGUSR2);
	raise(SIGUSR2);
	tevent_loop_once(ev);
	talloc_free(new);
	raise(SIGUSR2);
	tevent_loop_once(ev);
	talloc_free(old);
	sigaction(SIGUSR2, NULL, &after);
	say("restored %d", before.sa_handler == after.sa_handler);

	info = tevent_add_signal(ev, ev, SIGRTMIN, SA_SIGINFO, on_signal, "info");
	sigqueue(getpid(), SIGRTMIN, value);
	value.sival_int = 43;
	sigqueue(getpid(), SIGRTMIN, value);
	kill(getpid(), SIGRTMIN);
	tevent_loop_once(ev);
	talloc_free(info);

	tevent_add_signal(ev, ev, SIGUSR1, SA_RESETHAND, on_signal, "one shot");
	raise(SIGUSR1);
	run(ev);

	tevent_add_signal(ev, ev, SIGCHLD, SA_SIGINFO, on_child, &child);
	child = fork();
	if (child == 0) {
		_exit(3);
	}
	run(ev);
	check(tevent_add_signal(ev, ev, -1, 0, on_signal, "bad") == NULL);
	check(tevent_add_signal(ev, ev, 1000, 0, on_signal, "bad") == NULL);
	check(tevent_add_signal(ev, ev, SIGKILL, 0, on_signal, "bad") == NULL);
	say("support %d", tevent_signal_support(ev));
}

static void times(void)
{
	struct timeval a = tevent_timeval_set(5, 999999), b = tevent_timeval_add(&a, 1, 2), d = tevent_timeval_until(&a, &b);

	say("== times");
	say("%ld.%06ld %ld.%06ld", (long)b.tv_sec, (long)b.tv_usec, (long)d.tv_sec, (long)d.tv_usec);
	say("%d %d %d", tevent_timeval_compare(&a, &b), tevent_timeval_compare(&b, &a), tevent_timeval_compare(&a, &a));
	d = tevent_timeval_until(&b, &a);
	say("%ld.%06ld", (long)d.tv_sec, (long)d.tv_usec);
	say("%zu signals, %zu deliveries", tevent_num_signals(), tevent_sa_info_queue_count());
	say("pid %d", tevent_cached_getpid() == getpid());
}

int main(int argc, char **argv)
{
	struct tevent_context *ev = tevent_context_init_byname(NULL, argc > 1 ? argv[1] : NULL);

	immediates(ev);
	timers(ev);
	priorities(ev);
	fds(ev);
	signals(ev);
	times();
	return talloc_free(ev);
}
