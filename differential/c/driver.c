/*
 * The C library's side of the comparison: carries out the scenarios of a file on libtevent and prints what happens.
 * The Rust driver prints the same for the same scenarios, or one of them is wrong.
 */
#include "world.h"

#include <signal.h>
#include <stdarg.h>

struct world w;

const struct verb *const verb_tables[] = {
	file_verbs, fd_verbs, event_verbs, signal_verbs, request_verbs, home_verbs, finish_verbs, queue_verbs, turn_verbs, NULL,
};

void say(const char *format, ...)
{
	va_list args;

	for (int i = 0; i < w.indent; i++) {
		fputs("  ", stdout);
	}
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

/* The operation is passed over, for a reason that both drivers see. */
void skip(void)
{
	say("= -");
}

static void execute(const struct op *op)
{
	say("> %s", op->text);
	op->verb->run(op->word);
}

void run_script(int script)
{
	if (script == NOBODY || w.silent || w.depth >= DEPTH) {
		return;
	}
	w.depth++;
	for (size_t i = 0; i < w.scripts[script].length && w.fuel > 0; i++) {
		w.fuel--;
		execute(&w.scripts[script].ops[i]);
	}
	w.depth--;
}

/* A handler begins: what it is told, and what it does stands below it. */
void enter(const char *format, ...)
{
	char text[128];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	say("%s", text);
	w.handled++;
	w.indent++;
}

void leave(void)
{
	w.indent--;
}

static long long microseconds(struct timeval tv)
{
	return tv.tv_sec * 1000000LL + tv.tv_usec;
}

long long since_start(struct timeval tv)
{
	return microseconds(tv) - microseconds(w.start);
}

struct timeval moment(const struct word *when)
{
	long long from = microseconds(when->how == 'i' ? tevent_timeval_current() : w.start);

	if (when->how == 'z') {
		return tevent_timeval_zero();
	}
	from += when->n;
	return (struct timeval){ .tv_sec = from / 1000000, .tv_usec = from % 1000000 };
}

/* What can be asked without changing anything. */
void status(void)
{
	for (int i = 0; i < w.indent; i++) {
		fputs("  ", stdout);
	}
	putchar('~');
	for (int id = 0; id < IDS; id++) {
		if (w.fds[id].live) {
			printf(" e%d=%s", id, flags_text(tevent_fd_get_flags(w.fds[id].fde)));
		}
	}
	for (int id = 0; id < IDS; id++) {
		if (w.requests[id].live) {
			enum tevent_req_state state = TEVENT_REQ_DONE;
			uint64_t code = 0;
			bool failed = tevent_req_is_error(w.requests[id].req, &state, &code);

			printf(" r%d=%d,%d,%d,%llu", id, tevent_req_is_in_progress(w.requests[id].req), failed, state,
			       (unsigned long long)code);
		}
	}
	for (int id = 0; id < IDS; id++) {
		if (w.queues[id].live) {
			struct tevent_queue *queue = w.queues[id].queue;

			printf(" q%d=%zu%s", id, tevent_queue_length(queue), tevent_queue_running(queue) ? "+" : "");
		}
	}
	putchar('\n');
}

/* Everything that is left is freed, in an order that is always the same; handlers only tell. */
static void finish(void)
{
	say("> end");
	w.silent = true;
	free_requests();
	free_queues();
	free_events();
	free_fds();
	free_signals();
	TALLOC_FREE(w.ev);
	close_files();
}

static bool run_one(FILE *in)
{
	char name[64];
	struct op *ops = NULL;
	size_t length = 0;

	memset(&w, 0, sizeof(w));
	w.mem = talloc_new(NULL);
	if (!read_scenario(in, name, sizeof(name), &ops, &length)) {
		talloc_free(w.mem);
		return false;
	}
	printf("=== %s\n", name);
	w.fuel = FUEL;
	w.ev = tevent_context_init(w.mem);
	w.start = tevent_timeval_current();
	for (size_t i = 0; i < length; i++) {
		execute(&ops[i]);
	}
	finish();
	puts("=== end");
	talloc_free(w.mem);
	return true;
}

int main(int argc, char **argv)
{
	FILE *in = argc == 2 ? fopen(argv[1], "r") : NULL;

	if (in == NULL) {
		fprintf(stderr, "usage: %s FILE\n", argv[0]);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	/* So that it can be seen how far it came if it dies. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (run_one(in)) {
	}
	fclose(in);
	return 0;
}
