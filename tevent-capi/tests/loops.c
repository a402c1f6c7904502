/* Running the loop: nesting, its hook, loop_until, freeing and beginning anew, forks, messages. */
#include "say.h"

static void on_im(struct tevent_context *ev, struct tevent_immediate *im, void *name)
{
	say("immediate %s", (char *)name);
}

static void on_timer_run(struct tevent_context *ev, struct tevent_timer *te, struct timeval now, void *name)
{
	say("timer %s runs the loop: %d", (char *)name, tevent_loop_once(ev));
}

static void on_timer(struct tevent_context *ev, struct tevent_timer *te, struct timeval now, void *name)
{
	say("timer %s", (char *)name);
}

static void on_fd(struct tevent_context *ev, struct tevent_fd *fde, uint16_t flags, void *name)
{
	say("fd %s", (char *)name);
	talloc_free(fde);
}

static int on_nesting(struct tevent_context *ev, void *failing, uint32_t level, bool begin, void *stack, const char *location)
{
	say("hook: level %u begin %d stack %d at %d", level, begin, stack != NULL, strstr(location, "loops.c:") != NULL);
	return *(int *)failing == (int)(level * 2 + begin) ? -1 : 0;
}

static int other_hook(struct tevent_context *ev, void *priv, uint32_t level, bool begin, void *stack, const char *location)
{
	return 0;
}

static void on_abort(const char *reason)
{
	/* Only the part that says what happened. */
	say("abort: %s", strncmp(reason, "tevent_loop_once() nesting at ", 30) == 0 ? "nesting refused" : "another reason");
	exit(0);
}

static void refused(void (*what)(struct tevent_context *))
{
	pid_t child;
	int status;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		struct tevent_context *ev = tevent_context_init(NULL);
		tevent_set_abort_fn(on_abort);
		what(ev);
		say("was not refused");
		exit(1);
	}
	waitpid(child, &status, 0);
	say("ended %d %d", WIFEXITED(status), WEXITSTATUS(status));
}

static void nests(struct tevent_context *ev)
{
	tevent_add_timer(ev, ev, ZERO, on_timer_run, "nesting");
	tevent_loop_once(ev);
}

static void hooks_twice(struct tevent_context *ev)
{
	int failing = 0;
	tevent_loop_set_nesting_hook(ev, on_nesting, &failing);
	tevent_loop_set_nesting_hook(ev, other_hook, NULL);
}

static bool is_done(void *left)
{
	say("finished? %d left", *(int *)left);
	return (*(int *)left)-- == 0;
}

static void on_message(void *priv, enum tevent_debug_level level, const char *fmt, va_list ap)
{
	if (level <= TEVENT_DEBUG_WARNING) {
		printf("message %d: ", level);
		vprintf(fmt, ap);
	}
}

static void free_first(void)
{
	struct tevent_context *ev = tevent_context_init(NULL);
	TALLOC_CTX *mem = talloc_new(NULL);
	int fds[2];
	struct tevent_fd *fde;
	struct tevent_timer *te;
	struct tevent_immediate *im;
	struct tevent_signal *se;

	say("== the context is freed before its events");
	sockets(fds);
	fde = tevent_add_fd(ev, mem, fds[0], TEVENT_FD_READ, on_fd, "inert");
	te = tevent_add_timer(ev, mem, ZERO, on_timer, "inert");
	im = tevent_create_immediate(mem);
	se = tevent_add_signal(ev, mem, SIGUSR1, 0, NULL, NULL);
	tevent_schedule_immediate(im, ev, on_im, "inert");
	tevent_fd_set_auto_close(fde);
	check(talloc_free(ev) == 0);
	say("flags %d", tevent_fd_get_flags(fde));
	tevent_fd_set_flags(fde, TEVENT_FD_READ);
	say("flags %d", tevent_fd_get_flags(fde));
	check(talloc_free(te) == 0);
	check(talloc_free(se) == 0);
	ev = tevent_context_init(NULL);
	tevent_schedule_immediate(im, ev, on_im, "on another");
	run(ev);
	check(talloc_free(im) == 0);
	check(talloc_free(fde) == 0);
	check(write(fds[0], "x", 1) == -1 && errno == EBADF);
	close(fds[1]);
	talloc_free(ev);
	talloc_free(mem);
}

static void anew(void)
{
	struct tevent_context *ev = tevent_context_init(NULL);
	int fds[2];
	struct tevent_fd *fde;

	say("== beginning anew");
	sockets(fds);
	fde = tevent_add_fd(ev, ev, fds[0], TEVENT_FD_READ, on_fd, "old");
	tevent_add_timer(ev, ev, ZERO, on_timer, "old");
	say("re_initialise %d", tevent_re_initialise(ev));
	check(write(fds[1], "x", 1) == 1);
	say("flags %d", tevent_fd_get_flags(fde));
	tevent_add_timer(ev, ev, ZERO, on_timer, "new");
	tevent_add_fd(ev, ev, fds[0], TEVENT_FD_READ, on_fd, "new");
	talloc_free(fde);
	run(ev);
	talloc_free(ev);
	close(fds[0]);
	close(fds[1]);
}

static void on_timer_anew(struct tevent_context *ev, struct tevent_timer *te, struct timeval now, void *priv)
{
	say("in a handler: re_initialise %d", tevent_re_initialise(ev));
	tevent_add_timer(ev, ev, ZERO, on_timer, "of the new one");
	tevent_add_timer(ev, ev, ZERO, *(bool *)priv ? on_timer_run : on_timer, "of the new one");
	tevent_add_timer(ev, ev, ZERO, on_timer, "of the new one");
	/* Not nested, and nesting is still allowed if it was. */
	run(ev);
	exit(0);
}

static void anew_in_handler(bool allowed)
{
	pid_t child;
	int status;

	say("== beginning anew in a handler, in a child, nesting allowed %d", allowed);
	child = fork();
	if (child == 0) {
		struct tevent_context *ev = tevent_context_init(NULL);
		if (allowed) {
			tevent_loop_allow_nesting(ev);
		}
		tevent_add_timer(ev, ev, ZERO, on_timer_anew, &allowed);
		run(ev);
	}
	waitpid(child, &status, 0);
	say("child ended %d", status);
}

static void forks(void)
{
	struct tevent_context *ev = tevent_context_init(NULL);
	int fds[2], status;
	pid_t child;

	say("== fork");
	sockets(fds);
	check(write(fds[1], "x", 1) == 1);
	tevent_add_fd(ev, ev, fds[0], TEVENT_FD_READ, on_fd, "in both");
	tevent_add_timer(ev, ev, ZERO, on_timer, "in both");
	fflush(stdout);
	child = fork();
	if (child == 0) {
		check(tevent_cached_getpid() == getpid());
		run(ev);
		talloc_free(ev);
		exit(0);
	}
	waitpid(child, &status, 0);
	say("child ended %d", status);
	run(ev);
	child = fork();
	if (child == 0) {
		say("re_initialise in the child %d", tevent_re_initialise(ev));
		tevent_add_timer(ev, ev, ZERO, on_timer, "of the child");
		run(ev);
		exit(0);
	}
	waitpid(child, &status, 0);
	say("child ended %d", status);
	talloc_free(ev);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	struct tevent_context *ev = tevent_context_init(NULL);
	int failing = -1, left = 2;
	const char **list = tevent_backend_list(ev);

	for (; *list != NULL; list++) {
		say("backend %s", *list);
	}
	check(tevent_context_init_byname(NULL, "no such") == NULL);
	say("== nesting is refused");
	refused(nests);
	say("== a second hook is refused");
	refused(hooks_twice);

	say("== nesting");
	tevent_loop_set_nesting_hook(ev, on_nesting, &failing);
	tevent_loop_set_nesting_hook(ev, on_nesting, &failing);
	tevent_loop_allow_nesting(ev);
	tevent_add_timer(ev, ev, ZERO, on_timer_run, "outer");
	tevent_add_timer(ev, ev, ZERO, on_timer, "inner");
	say("once %d", tevent_loop_once(ev));
	say("== the hook fails at the begin");
	failing = 1 * 2 + 1;
	tevent_add_timer(ev, ev, ZERO, on_timer, "not yet");
	say("once %d", tevent_loop_once(ev));
	say("wait %d", tevent_loop_wait(ev));
	say("== the hook fails at the end");
	failing = 1 * 2;
	say("once %d", tevent_loop_once(ev));
	failing = -1;

	say("== until");
	tevent_add_timer(ev, ev, ZERO, on_timer, "1");
	tevent_add_timer(ev, ev, ZERO, on_timer, "2");
	say("until %d", tevent_loop_until(ev, is_done, &left));

	say("== messages");
	check(tevent_set_debug(ev, on_message, NULL) == 0);
	say("wait %d", tevent_loop_wait(ev));
	check(tevent_set_debug(ev, NULL, NULL) == 0);
	say("wait %d", tevent_loop_wait(ev));
	check(talloc_free(ev) == 0);

	free_first();
	anew();
	anew_in_handler(false);
	anew_in_handler(true);
	forks();
	return 0;
}
