/* Wrapper contexts. */
#include "say.h"

struct wrap_state {
	const char *name;
};

static bool before_use(struct tevent_context *wrap, void *state, struct tevent_context *main_ev, const char *location)
{
	say("before use of %s", ((struct wrap_state *)state)->name);
	return true;
}

static void after_use(struct tevent_context *wrap, void *state, struct tevent_context *main_ev, const char *location)
{
	say("after use of %s", ((struct wrap_state *)state)->name);
}

#define BEFORE(kind, ...) static void before_##kind(struct tevent_context *wrap, void *state, struct tevent_context *main_ev, \
	__VA_ARGS__, const char *name, const char *location) { say("before " #kind " %s of %s", name, ((struct wrap_state *)state)->name); }
#define AFTER(kind, ...) static void after_##kind(struct tevent_context *wrap, void *state, struct tevent_context *main_ev, \
	__VA_ARGS__, const char *name, const char *location) { say("after " #kind " %s of %s", name, ((struct wrap_state *)state)->name); }
#define BOTH(kind, ...) BEFORE(kind, __VA_ARGS__) AFTER(kind, __VA_ARGS__)
BOTH(fd, struct tevent_fd *fde, uint16_t flags)
BOTH(timer, struct tevent_timer *te, struct timeval due, struct timeval now)
BOTH(immediate, struct tevent_immediate *im)
BOTH(signal, struct tevent_signal *se, int signum, int count, void *siginfo)

static const struct tevent_wrapper_ops ops = {
	.name = "test", .before_use = before_use, .after_use = after_use,
	.before_fd_handler = before_fd, .after_fd_handler = after_fd,
	.before_timer_handler = before_timer, .after_timer_handler = after_timer,
	.before_immediate_handler = before_immediate, .after_immediate_handler = after_immediate,
	.before_signal_handler = before_signal, .after_signal_handler = after_signal,
};

static struct tevent_context *wrap, *main_ev;

static void on_fd(struct tevent_context *ev, struct tevent_fd *fde, uint16_t flags, void *priv)
{
	say("fd in the wrapper %d", ev == wrap);
	talloc_free(fde);
}

static void on_timer(struct tevent_context *ev, struct tevent_timer *te, struct timeval now, void *priv)
{
	say("timer in the wrapper %d", ev == wrap);
}

static void on_timer_free(struct tevent_context *ev, struct tevent_timer *te, struct timeval now, void *priv)
{
	say("timer frees the wrapper");
	TALLOC_FREE(wrap);
}

static void on_im(struct tevent_context *ev, struct tevent_immediate *im, void *priv)
{
	say("immediate in the wrapper %d", ev == wrap);
}

static void on_signal(struct tevent_context *ev, struct tevent_signal *se, int signum, int count, void *info, void *priv)
{
	say("signal in the wrapper %d", ev == wrap);
	talloc_free(se);
}

static void events(struct tevent_context *ev, int fd)
{
	struct tevent_immediate *im = tevent_create_immediate(ev);

	tevent_add_signal(ev, ev, SIGUSR1, 0, on_signal, NULL);
	raise(SIGUSR1);
	tevent_schedule_immediate(im, ev, on_im, NULL);
	tevent_add_timer(ev, ev, ZERO, on_timer, NULL);
	tevent_add_fd(ev, ev, fd, TEVENT_FD_READ, on_fd, NULL);
}

int main(void)
{
	struct wrap_state *state;
	int fds[2];

	main_ev = tevent_context_init(NULL);
	wrap = tevent_context_wrapper_create(main_ev, main_ev, &ops, &state, struct wrap_state);
	state->name = "w";
	sockets(fds);
	check(write(fds[1], "x", 1) == 1);
	say("wrapper %d %d same %d", tevent_context_is_wrapper(main_ev), tevent_context_is_wrapper(wrap),
	    tevent_context_same_loop(main_ev, wrap));
	check(strcmp(talloc_get_name(state), "struct wrap_state") == 0);
	events(wrap, fds[0]);
	run(main_ev);
	say("push %d", tevent_context_push_use(wrap));
	say("push %d", tevent_context_push_use(main_ev));
	tevent_context_pop_use(main_ev);
	tevent_context_pop_use(wrap);
	say("== freed");
	events(wrap, fds[0]);
	talloc_free(wrap);
	run(main_ev);
	say("== freed in a handler");
	wrap = tevent_context_wrapper_create(main_ev, main_ev, &ops, &state, struct wrap_state);
	state->name = "v";
	tevent_add_timer(wrap, wrap, ZERO, on_timer_free, NULL);
	tevent_add_timer(wrap, wrap, ZERO, on_timer, NULL);
	run(main_ev);
	say("== the main context goes first");
	wrap = tevent_context_wrapper_create(main_ev, NULL, &ops, &state, struct wrap_state);
	talloc_steal(NULL, wrap);
	state->name = "u";
	events(wrap, fds[0]);
	talloc_free(main_ev);
	check(talloc_free(wrap) == 0);
	return 0;
}
