/* What is refused: each in a child, whose abort function tells the reason. */
#include "say.h"

struct wrap_state {
	int x;
};

static bool before_use(struct tevent_context *wrap, void *state, struct tevent_context *main_ev, const char *location)
{
	return true;
}

static void after_use(struct tevent_context *wrap, void *state, struct tevent_context *main_ev, const char *location)
{
}

static const struct tevent_wrapper_ops ops = { .name = "w", .before_use = before_use, .after_use = after_use };

static struct tevent_context *wrapper(struct tevent_context *ev)
{
	struct wrap_state *state;
	return tevent_context_wrapper_create(ev, ev, &ops, &state, struct wrap_state);
}

static void on_abort(const char *reason)
{
	say("  abort: %s", reason);
	exit(0);
}

static void refused(const char *name, void (*what)(struct tevent_context *))
{
	int status;
	pid_t child;

	say("%s", name);
	child = fork();
	if (child == 0) {
		tevent_set_abort_fn(on_abort);
		what(tevent_context_init(NULL));
		say("  returned");
		exit(1);
	}
	waitpid(child, &status, 0);
	say("  ended %d", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}
#define refused(what) (refused)(#what, what)

static void on_timer(struct tevent_context *ev, struct tevent_timer *te, struct timeval now, void *priv)
{
}

static void on_timer_once(struct tevent_context *ev, struct tevent_timer *te, struct timeval now, void *priv)
{
	tevent_loop_once(ev);
}

static void on_timer_wait(struct tevent_context *ev, struct tevent_timer *te, struct timeval now, void *priv)
{
	tevent_add_timer(ev, ev, ZERO, on_timer, NULL);
	tevent_loop_wait(ev);
}

static void on_timer_until(struct tevent_context *ev, struct tevent_timer *te, struct timeval now, void *priv)
{
	tevent_loop_until(ev, NULL, NULL);
}

static void on_timer_free_twice(struct tevent_context *ev, struct tevent_timer *te, struct timeval now, void *priv)
{
	say("  %d", talloc_free(te));
	talloc_free(te);
}

static void in_timer(struct tevent_context *ev, tevent_timer_handler_t handler)
{
	tevent_add_timer(ev, ev, ZERO, handler, NULL);
	tevent_loop_once(ev);
}

static int on_nesting(struct tevent_context *ev, void *priv, uint32_t level, bool begin, void *stack, const char *location)
{
	return 0;
}

static void once_in_handler(struct tevent_context *ev) { in_timer(ev, on_timer_once); }
static void wait_in_handler(struct tevent_context *ev) { in_timer(ev, on_timer_wait); }
static void until_in_handler(struct tevent_context *ev) { in_timer(ev, on_timer_until); }
static void free_twice_in_handler(struct tevent_context *ev) { in_timer(ev, on_timer_free_twice); }
static void once_on_wrapper(struct tevent_context *ev) { tevent_loop_once(wrapper(ev)); }
static void wait_on_wrapper(struct tevent_context *ev) { tevent_loop_wait(wrapper(ev)); }
static void anew_on_wrapper(struct tevent_context *ev) { tevent_re_initialise(wrapper(ev)); }
static void debug_on_wrapper(struct tevent_context *ev) { tevent_set_debug_stderr(wrapper(ev)); }
static void pop_of_nothing(struct tevent_context *ev) { tevent_context_pop_use(wrapper(ev)); }

static void two_hooks(struct tevent_context *ev)
{
	tevent_loop_set_nesting_hook(ev, on_nesting, NULL);
	tevent_loop_set_nesting_hook(ev, on_nesting, ev);
}

static void push_twice(struct tevent_context *ev)
{
	struct tevent_context *w = wrapper(ev);

	say("  %d", tevent_context_push_use(w));
	tevent_context_push_use(w);
}

static void pop_another(struct tevent_context *ev)
{
	tevent_context_push_use(ev);
	tevent_context_push_use(wrapper(ev));
	tevent_context_pop_use(ev);
}

static void push_too_many(struct tevent_context *ev)
{
	int i;

	for (i = 1; i <= 33; i++) {
		if (!tevent_context_push_use(ev)) {
			say("  false");
		}
	}
}

int main(void)
{
	struct tevent_context *ev = tevent_context_init(NULL);
	struct wrap_state *state;

	refused(once_in_handler);
	refused(wait_in_handler);
	refused(until_in_handler);
	refused(free_twice_in_handler);
	refused(two_hooks);
	refused(once_on_wrapper);
	refused(wait_on_wrapper);
	refused(anew_on_wrapper);
	refused(debug_on_wrapper);
	refused(push_twice);
	refused(pop_of_nothing);
	refused(pop_another);
	refused(push_too_many);
	check(tevent_context_wrapper_create(wrapper(ev), ev, &ops, &state, struct wrap_state) == NULL);
	return talloc_free(ev);
}
