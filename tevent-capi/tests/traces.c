/* Trace callbacks: what they are told, and their getters. */
#include "say.h"

static const char *const points[] = { "attach", "detach", "before handler" };
static const char *const loop_points[] = { "before wait", "after wait", "before loop_once", "after loop_once" };

static void on_point(enum tevent_trace_point at, void *priv)
{
	say("  loop: %s", loop_points[at]);
}

static void on_fd_trace(struct tevent_fd *fde, enum tevent_event_trace_point at, void *priv)
{
	if (at == TEVENT_EVENT_TRACE_ATTACH) {
		tevent_fd_set_tag(fde, 1);
	}
	say("  fd %d: %s", (int)tevent_fd_get_tag(fde), points[at]);
}

static void on_signal_trace(struct tevent_signal *se, enum tevent_event_trace_point at, void *priv)
{
	say("  signal %d: %s", (int)tevent_signal_get_tag(se), points[at]);
}

static void on_timer_trace(struct tevent_timer *te, enum tevent_event_trace_point at, void *priv)
{
	say("  timer %d: %s", (int)tevent_timer_get_tag(te), points[at]);
}

static void on_immediate_trace(struct tevent_immediate *im, enum tevent_event_trace_point at, void *priv)
{
	say("  immediate %d: %s", (int)tevent_immediate_get_tag(im), points[at]);
}

static void on_fd(struct tevent_context *ev, struct tevent_fd *fde, uint16_t flags, void *priv)
{
	say("fd");
	tevent_fd_set_flags(fde, 0);
}

static void on_fd_free(struct tevent_context *ev, struct tevent_fd *fde, uint16_t flags, void *priv)
{
	say("fd frees itself");
	talloc_free(fde);
	say("freed");
}

static void on_timer(struct tevent_context *ev, struct tevent_timer *te, struct timeval now, void *priv)
{
	say("timer");
}

static void on_timer_free(struct tevent_context *ev, struct tevent_timer *te, struct timeval now, void *priv)
{
	say("timer frees itself");
	talloc_free(te);
	say("freed");
}

static void on_im(struct tevent_context *ev, struct tevent_immediate *im, void *priv)
{
	say("immediate");
}

static void on_im_again(struct tevent_context *ev, struct tevent_immediate *im, void *priv)
{
	say("immediate schedules itself");
	tevent_schedule_immediate(im, ev, on_im, NULL);
	say("scheduled");
}

static void on_im_free(struct tevent_context *ev, struct tevent_immediate *im, void *priv)
{
	say("immediate frees itself");
	talloc_free(im);
	say("freed");
}

static void on_signal(struct tevent_context *ev, struct tevent_signal *se, int signum, int count, void *info, void *priv)
{
	say("signal");
	talloc_free(se);
	say("freed");
}

int main(void)
{
	struct tevent_context *ev = tevent_context_init(NULL);
	struct tevent_immediate *im = tevent_create_immediate(ev);
	struct tevent_timer *te;
	struct tevent_fd *fde;
	struct tevent_signal *se;
	int fds[2];
	void *priv;
	tevent_trace_callback_t cb;
	tevent_trace_fd_callback_t fd_cb;
	tevent_trace_signal_callback_t signal_cb;
	tevent_trace_timer_callback_t timer_cb;
	tevent_trace_immediate_callback_t immediate_cb;

	tevent_get_trace_callback(ev, &cb, &priv);
	check(cb == NULL && priv == NULL);
	tevent_set_trace_callback(ev, on_point, ev);
	tevent_get_trace_callback(ev, &cb, &priv);
	check(cb == on_point && priv == ev);
	tevent_set_trace_fd_callback(ev, on_fd_trace, im);
	tevent_get_trace_fd_callback(ev, &fd_cb, &priv);
	check(fd_cb == on_fd_trace && priv == im);
	tevent_set_trace_signal_callback(ev, on_signal_trace, im);
	tevent_get_trace_signal_callback(ev, &signal_cb, &priv);
	check(signal_cb == on_signal_trace && priv == im);
	tevent_set_trace_timer_callback(ev, on_timer_trace, im);
	tevent_get_trace_timer_callback(ev, &timer_cb, &priv);
	check(timer_cb == on_timer_trace && priv == im);
	tevent_set_trace_immediate_callback(ev, on_immediate_trace, im);
	tevent_get_trace_immediate_callback(ev, &immediate_cb, &priv);
	check(immediate_cb == on_immediate_trace && priv == im);

	say("== fds");
	sockets(fds);
	check(write(fds[1], "x", 1) == 1);
	fde = tevent_add_fd(ev, ev, fds[0], TEVENT_FD_READ, on_fd, NULL);
	tevent_loop_once(ev);
	say("free");
	talloc_free(fde);
	tevent_add_fd(ev, ev, fds[0], TEVENT_FD_READ, on_fd_free, NULL);
	run(ev);
	tevent_set_trace_callback(ev, NULL, NULL);

	say("== timers");
	te = tevent_add_timer(ev, ev, ZERO, on_timer, NULL);
	tevent_timer_set_tag(te, 2);
	run(ev);
	te = tevent_add_timer(ev, ev, IN(1000), on_timer, NULL);
	tevent_update_timer(te, IN(2000));
	say("free");
	talloc_free(te);
	tevent_add_timer(ev, ev, ZERO, on_timer_free, NULL);
	run(ev);

	say("== immediates");
	tevent_immediate_set_tag(im, 3);
	tevent_schedule_immediate(im, ev, on_im, NULL);
	run(ev);
	tevent_schedule_immediate(im, ev, on_im, NULL);
	tevent_schedule_immediate(im, ev, on_im_again, NULL);
	run(ev);
	tevent_schedule_immediate(im, ev, on_im, NULL);
	tevent_schedule_immediate(im, ev, NULL, NULL);
	tevent_schedule_immediate(im, ev, on_im_free, NULL);
	run(ev);

	say("== signals");
	/* The C library's wake-up fd is an fd event too, and traced. */
	tevent_set_trace_fd_callback(ev, NULL, NULL);
	se = tevent_add_signal(ev, ev, SIGUSR1, 0, on_signal, NULL);
	tevent_signal_set_tag(se, 4);
	raise(SIGUSR1);
	run(ev);

	say("== the context goes");
	fde = tevent_add_fd(ev, NULL, fds[0], TEVENT_FD_READ, on_fd, NULL);
	te = tevent_add_timer(ev, NULL, IN(1000), on_timer, NULL);
	im = tevent_create_immediate(NULL);
	talloc_steal(NULL, fde);
	talloc_steal(NULL, te);
	tevent_schedule_immediate(im, ev, on_im, NULL);
	say("free");
	tevent_set_trace_timer_callback(ev, on_timer_trace, im);
	talloc_free(ev);
	say("free the rest");
	talloc_free(fde);
	talloc_free(te);
	talloc_free(im);
	close(fds[0]);
	close(fds[1]);
	return 0;
}
