/* Timers and immediates. */
#include "world.h"

static void timer_handler(struct tevent_context *ev, struct tevent_timer *te, struct timeval now, void *data)
{
	struct timer *t = data;

	(void)ev;
	(void)te;
	lists_are_empty();
	t->running++;
	if (tevent_timeval_is_zero(&now)) {
		enter("timer t%d zero", t->id);
	} else {
		enter("timer t%d %lld", t->id, since_start(now));
	}
	run_script(t->script);
	leave();
	t->running--;
	t->live = false;
}

static void op_timer(const struct word *a)
{
	if (!can_own(a[3].n) || !CLAIM(timers, a[0].n)) {
		skip();
		return;
	}
	struct timer *t = &w.timers[a[0].n];

	t->live = true;
	t->id = a[0].n;
	t->script = a[2].n;
	t->of = a[3].n;
	t->te = tevent_add_timer(w.ev, home_of(t->of), moment(&a[1]), timer_handler, t);
}

static void op_update(const struct word *a)
{
	struct timer *t = &w.timers[a[0].n];

	/* TIMER-8: undefined in C inside its own handler. */
	if (w.freed || !t->live || t->running > 0) {
		skip();
		return;
	}
	tevent_update_timer(t->te, moment(&a[1]));
}

static void op_free_timer(const struct word *a)
{
	struct timer *t = &w.timers[a->n];

	if (!t->live) {
		skip();
		return;
	}
	t->live = false;
	talloc_free(t->te);
}

static void begin(struct immediate *i)
{
	i->entered_again = i->running > 0;
	i->running++;
}

static void immediate_handler(struct tevent_context *ev, struct tevent_immediate *im, void *data)
{
	struct immediate *i = data;

	(void)ev;
	(void)im;
	begin(i);
	enter("im i%d", i->id);
	run_script(i->script);
	leave();
	i->running--;
}

static void once_handler(struct tevent_context *ev, struct tevent_immediate *im, void *data)
{
	struct immediate *i = data;

	(void)ev;
	(void)im;
	begin(i);
	enter("im i%d with", i->id);
	run_script(i->once);
	leave();
	i->running--;
}

static void op_im(const struct word *a)
{
	/* A request's immediates have a handler of their own: the Rust library makes no others. */
	bool can = a[1].n != NOBODY || a[2].n == NOBODY;

	if (!can_own(a[2].n) || !can || !CLAIM(immediates, a[0].n)) {
		skip();
		return;
	}
	struct immediate *i = &w.immediates[a[0].n];

	i->live = true;
	i->id = a[0].n;
	i->script = a[1].n;
	i->of = a[2].n;
	i->im = tevent_create_immediate(home_of(i->of));
}

static struct immediate *live_immediate(const struct word *a)
{
	struct immediate *i = &w.immediates[a->n];

	if (w.freed || !i->live) {
		skip();
		return NULL;
	}
	return i;
}

static void op_sched(const struct word *a)
{
	struct immediate *i = live_immediate(a);

	/* One that was made without a handler is cancelled. */
	if (i != NULL) {
		tevent_schedule_immediate(i->im, w.ev, i->script == NOBODY ? NULL : immediate_handler, i);
	}
}

static void op_sched_with(const struct word *a)
{
	struct immediate *i = live_immediate(a);

	if (i != NULL) {
		i->once = a[1].n;
		tevent_schedule_immediate(i->im, w.ev, once_handler, i);
	}
}

static void op_reset(const struct word *a)
{
	struct immediate *i = live_immediate(a);

	if (i != NULL) {
		tevent_schedule_immediate(i->im, w.ev, NULL, NULL);
	}
}

static void op_free_im(const struct word *a)
{
	struct immediate *i = &w.immediates[a->n];

	/* As with FD-9: C cannot free one whose handler was entered a second time by nesting. */
	if (!i->live || (i->running > 0 && i->entered_again)) {
		skip();
		return;
	}
	i->live = false;
	talloc_free(i->im);
}

void free_events(void)
{
	for (int id = 0; id < IDS; id++) {
		if (w.timers[id].live) {
			w.timers[id].live = false;
			talloc_free(w.timers[id].te);
		}
		if (w.immediates[id].live) {
			w.immediates[id].live = false;
			talloc_free(w.immediates[id].im);
		}
	}
}

const struct verb event_verbs[] = {
	{ "timer", "tWhr", op_timer },       { "update", "tW", op_update },
	{ "free_timer", "t", op_free_timer }, { "im", "ihr", op_im },
	{ "sched", "i", op_sched },          { "sched_with", "ih", op_sched_with },
	{ "reset", "i", op_reset },          { "free_im", "i", op_free_im },
	{ NULL, NULL, NULL },
};
