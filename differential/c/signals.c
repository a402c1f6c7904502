/* Signals (SIG). A raise is delivered before it returns: nothing here waits for the kernel. */
#include "world.h"

#include <pthread.h>
#include <signal.h>

/* More than what is queued before a signal is held back. */
enum { MOST_AT_ONCE = 300, FEW = 5 };

static int number(long line)
{
	const int numbers[LINES] = { SIGUSR1, SIGUSR2, SIGRTMIN + 1, SIGRTMIN + 2 };

	return numbers[line];
}

static int events_on_line(long line)
{
	int count = 0;

	for (int id = 0; id < IDS; id++) {
		count += w.signals[id].live && w.signals[id].line == line;
	}
	return count;
}

static bool once_on_line(long line)
{
	for (int id = 0; id < IDS; id++) {
		if (w.signals[id].live && w.signals[id].line == line && w.signals[id].once) {
			return true;
		}
	}
	return false;
}

static bool info_on_line(long line)
{
	for (int id = 0; id < IDS; id++) {
		if (w.signals[id].live && w.signals[id].line == line && w.signals[id].info) {
			return true;
		}
	}
	return false;
}

static void signal_handler(struct tevent_context *ev, struct tevent_signal *se, int signum, int count, void *siginfo, void *data)
{
	struct signal_event *s = data;
	const siginfo_t *info = siginfo;

	(void)ev;
	(void)se;
	(void)signum;
	s->running++;
	w.in_signals++;
	w.lines[s->line].ran = true;
	if (info == NULL) {
		enter("signal s%d %d", s->id, count);
	} else {
		enter("signal s%d info %d %d %d", s->id, count, info->si_code, info->si_value.sival_int);
	}
	run_script(s->script);
	leave();
	w.in_signals--;
	s->running--;
	/* The library frees it now. */
	if (s->once) {
		s->live = false;
	}
}

static void op_signal(const struct word *a)
{
	long line = a[1].n % LINES;
	bool info = a[2].n & 1, once = a[2].n & 2;
	int others = events_on_line(line);

	/*
	 * SIG-2, MUST DIFFER: one with SA_SIGINFO after a plain one. And where the kernel goes back to the default action
	 * (SIG-4) it does so for the others too. And here it is told of what was delivered before it was added.
	 */
	if (w.freed || w.waiting || (others > 0 && (w.lines[line].pending || once || once_on_line(line) || (info && !w.lines[line].info))) || !CLAIM(signals, a[0].n)) {
		skip();
		return;
	}
	struct signal_event *s = &w.signals[a[0].n];

	if (others == 0) {
		w.lines[line] = (struct line){ .info = info };
	}
	w.signals_used = true;
	s->live = true;
	s->id = a[0].n;
	s->line = line;
	s->once = once;
	s->info = info;
	s->script = a[3].n;
	s->se = tevent_add_signal(w.ev, home_of(NOBODY), number(line), (info ? SA_SIGINFO : 0) | (once ? (int)SA_RESETHAND : 0), signal_handler, s);
}

static bool line_runs(long line)
{
	for (int id = 0; id < IDS; id++) {
		if (w.signals[id].live && w.signals[id].line == line && w.signals[id].running > 0) {
			return true;
		}
	}
	return false;
}

/* C goes on in the middle of a signal's list when a nested turn returns. */
bool signals_run(void)
{
	return w.in_signals > 0;
}

static void op_raise(const struct word *a)
{
	long line = a[0].n % LINES;
	bool once = once_on_line(line);
	/*
	 * Here the first event decides for good whether deliveries are queued, and the signal held back; in Rust it is held
	 * back while somebody is told of each. And what a user may have in the kernel's queue has an end.
	 */
	bool few = (w.lines[line].info && !info_on_line(line)) || w.lines[line].pending;
	long most = few ? FEW : MOST_AT_ONCE;
	long times = once ? 1 : a[1].n < most ? a[1].n : most;

	/* One that is raised in its own handler finds a queue in C that still has what is being handled. */
	if (w.freed || events_on_line(line) == 0 || w.lines[line].spent || line_runs(line)) {
		skip();
		return;
	}
	w.lines[line].pending = true;
	w.lines[line].raised = true;
	w.lines[line].spent = once;
	for (long n = 0; n < times; n++) {
		pthread_sigqueue(pthread_self(), number(line), (union sigval){ .sival_ptr = (void *)(a[2].n + n) });
	}
}

static void op_free_signal(const struct word *a)
{
	struct signal_event *s = &w.signals[a->n];

	/*
	 * SIG-5: in C an event may free itself in its handler, once, and no other of the same signal; and what is pending
	 * when the last is freed goes to the next event added. And see op_raise for what is queued when nobody is told of each.
	 */
	if (!s->live || (s->running == 0 && line_runs(s->line)) || s->running > 1 || (s->running > 0 && s->once) ||
	    ((events_on_line(s->line) == 1 || s->info) && !w.freed && w.lines[s->line].pending)) {
		skip();
		return;
	}
	s->live = false;
	talloc_free(s->se);
}

bool signals_live(void)
{
	for (int id = 0; id < IDS; id++) {
		if (w.signals[id].live) {
			return true;
		}
	}
	return false;
}

/* SIG-5: what is pending in C when the last event goes is not dropped. */
bool signals_pending(void)
{
	for (int line = 0; line < LINES; line++) {
		if (w.lines[line].pending) {
			return true;
		}
	}
	return false;
}

/* The outermost turn begins. */
void signals_before_turn(void)
{
	for (int line = 0; line < LINES; line++) {
		w.lines[line].raised = w.lines[line].ran = false;
	}
}

/* And ends: pending signals come first, so that one whose handlers did not run is not pending. */
void signals_after_turn(void)
{
	for (int line = 0; line < LINES; line++) {
		w.lines[line].pending = w.lines[line].pending && (w.lines[line].ran || w.lines[line].raised);
	}
}

/* Everything but signal events is gone. */
void free_signals(void)
{
	for (int i = 0; i < 10 && !w.freed && signals_pending(); i++) {
		turn();
	}
	for (int id = 0; id < IDS; id++) {
		if (w.signals[id].live) {
			talloc_free(w.signals[id].se);
		}
		w.signals[id].live = false;
	}
}

const struct verb signal_verbs[] = {
	{ "signal", "sNNh", op_signal },
	{ "raise", "NNN", op_raise },
	{ "free_signal", "s", op_free_signal },
	{ NULL, NULL, NULL },
};
