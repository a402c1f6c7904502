/* Queues: who is triggered when, entries, blockers, stop and start, freeing. */
#include "say.h"

struct job_state {
	const char *name;
};

static struct tevent_req *job(TALLOC_CTX *mem, const char *name)
{
	struct job_state *state;
	struct tevent_req *req = tevent_req_create(mem, &state, struct job_state);

	state->name = name;
	return req;
}

static const char *name_of(struct tevent_req *req)
{
	struct job_state *state = tevent_req_data(req, struct job_state);
	return state->name;
}

static void on_turn(struct tevent_req *req, void *priv)
{
	say("turn of %s (%s)", name_of(req), (char *)priv);
}

static void on_turn_free(struct tevent_req *req, void *priv)
{
	say("turn of %s, which frees itself", name_of(req));
	talloc_free(req);
}

static void on_turn_done(struct tevent_req *req, void *priv)
{
	say("turn of %s, which is done", name_of(req));
	tevent_req_done(req);
}

static void on_done(struct tevent_req *req)
{
	say("done: %s", (char *)tevent_req_callback_data_void(req));
	TALLOC_FREE(req);
}

static void loop(struct tevent_context *ev)
{
	say("loop");
	run(ev);
}

static void on_trace(struct tevent_queue_entry *entry, enum tevent_event_trace_point at, void *priv)
{
	static uint64_t next = 1;

	if (at == TEVENT_EVENT_TRACE_ATTACH) {
		tevent_queue_entry_set_tag(entry, next++);
	}
	say("  entry %d: point %d", (int)tevent_queue_entry_get_tag(entry), at);
}

static void in_order(struct tevent_context *ev)
{
	struct tevent_queue *q = tevent_queue_create(ev, "q");
	struct tevent_req *a = job(ev, "a"), *b = job(ev, "b"), *c = job(ev, "c");

	say("== in order");
	check(tevent_queue_add(q, ev, a, on_turn, "1"));
	check(tevent_queue_add(q, ev, b, on_turn_free, NULL));
	check(tevent_queue_add(q, ev, c, on_turn, "3"));
	say("length %zu running %d", tevent_queue_length(q), tevent_queue_running(q));
	loop(ev);
	talloc_free(a);
	say("length %zu", tevent_queue_length(q));
	loop(ev);
	say("length %zu", tevent_queue_length(q));
	talloc_free(c);
	loop(ev);
	talloc_free(q);
}

static void entries(struct tevent_context *ev)
{
	struct tevent_queue *q = tevent_queue_create(ev, "q");
	struct tevent_req *a = job(ev, "a"), *b = job(ev, "b"), *c = job(ev, "c");
	struct tevent_queue_entry *first, *second;

	say("== entries and blockers");
	first = tevent_queue_add_entry(q, ev, a, NULL, NULL);
	second = tevent_queue_add_entry(q, ev, b, on_turn, "2");
	check(strcmp(talloc_get_name(first), "struct tevent_queue_entry") == 0 && talloc_parent(first) == a);
	tevent_queue_entry_set_tag(second, 4);
	say("tags %d %d", (int)tevent_queue_entry_get_tag(first), (int)tevent_queue_entry_get_tag(second));
	loop(ev);
	talloc_free(second);
	check(tevent_queue_add(q, ev, c, on_turn, "3"));
	talloc_free(first);
	loop(ev);
	say("length %zu", tevent_queue_length(q));
	talloc_free(c);
	first = tevent_queue_add_optimize_empty(q, ev, a, on_turn, "at once");
	say("length %zu", tevent_queue_length(q));
	second = tevent_queue_add_optimize_empty(q, ev, b, on_turn, "in its turn");
	loop(ev);
	talloc_free(first);
	loop(ev);
	talloc_free(second);
	tevent_req_set_callback(a, on_done, "a");
	tevent_queue_add_optimize_empty(q, ev, a, on_turn, "it has a callback");
	loop(ev);
	talloc_free(a);
	talloc_free(b);
	talloc_free(q);
}

static void stopping(struct tevent_context *ev)
{
	struct tevent_queue *q = tevent_queue_create(ev, "q");
	struct tevent_req *a = job(ev, "a"), *b = job(ev, "b");
	struct tevent_queue_entry *entry;

	say("== stopping");
	tevent_queue_stop(q);
	entry = tevent_queue_add_entry(q, ev, a, on_turn, "again");
	check(tevent_queue_add(q, ev, b, on_turn, "2"));
	loop(ev);
	tevent_queue_start(q);
	tevent_queue_start(q);
	loop(ev);
	tevent_queue_stop(q);
	tevent_queue_entry_untrigger(entry);
	loop(ev);
	tevent_queue_start(q);
	loop(ev);
	tevent_queue_stop(q);
	talloc_free(a);
	loop(ev);
	say("length %zu running %d", tevent_queue_length(q), tevent_queue_running(q));
	talloc_free(q);
	loop(ev);
	say("it lives on: %s", name_of(b));
	talloc_free(b);
}

static void waiting(struct tevent_context *ev)
{
	struct tevent_queue *q = tevent_queue_create(ev, "q");
	struct tevent_req *a = tevent_queue_wait_send(ev, ev, q), *b = tevent_queue_wait_send(ev, ev, q), *c = job(ev, "c");

	say("== waiting");
	tevent_req_set_callback(b, on_done, "second");
	tevent_req_set_callback(c, on_done, "third");
	check(tevent_queue_add(q, ev, c, on_turn_done, NULL));
	loop(ev);
	say("in progress %d %d", tevent_req_is_in_progress(a), tevent_req_is_in_progress(b));
	say("received %d", tevent_queue_wait_recv(a));
	loop(ev);
	talloc_free(a);
	loop(ev);
	say("length %zu", tevent_queue_length(q));
	talloc_free(q);
}

static void tracing(struct tevent_context *ev)
{
	struct tevent_queue *q = tevent_queue_create(ev, "q");
	struct tevent_req *a = job(ev, "a"), *b = job(ev, "b"), *c = job(ev, "c");
	tevent_trace_queue_callback_t cb = NULL;
	void *priv = NULL;

	say("== tracing");
	tevent_set_trace_queue_callback(ev, on_trace, q);
	tevent_get_trace_queue_callback(ev, &cb, &priv);
	check(cb == on_trace && priv == q);
	check(tevent_queue_add(q, ev, a, on_turn, "1"));
	check(tevent_queue_add(q, ev, b, on_turn_free, "2"));
	check(tevent_queue_add(q, ev, c, on_turn, "3"));
	loop(ev);
	talloc_free(a);
	loop(ev);
	talloc_free(q);
	tevent_set_trace_queue_callback(ev, NULL, NULL);
	talloc_free(c);
}

int main(void)
{
	struct tevent_context *ev = tevent_context_init(NULL);

	in_order(ev);
	entries(ev);
	stopping(ev);
	waiting(ev);
	tracing(ev);
	return talloc_free(ev);
}
