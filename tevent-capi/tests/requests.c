/* Requests: states, callbacks, cleanup, cancel, posts, end times, profiles, call depth. */
#include "say.h"

struct work_state {
	const char *name;
};

static const char *const states[] = { "INIT", "IN_PROGRESS", "DONE", "USER_ERROR", "TIMED_OUT", "NO_MEMORY", "RECEIVED" };

static void report(const char *what, struct tevent_req *req)
{
	enum tevent_req_state state = TEVENT_REQ_INIT;
	uint64_t error = 0;
	bool failed = tevent_req_is_error(req, &state, &error);

	say("%s: failed %d state %s error %llu in progress %d", what, failed, states[state], (unsigned long long)error,
	    tevent_req_is_in_progress(req));
}

static void on_done(struct tevent_req *req)
{
	report(tevent_req_callback_data_void(req), req);
}

static void on_done_free(struct tevent_req *req)
{
	report(tevent_req_callback_data_void(req), req);
	talloc_free(req);
}

static void on_cleanup(struct tevent_req *req, enum tevent_req_state state)
{
	struct work_state *s = tevent_req_data(req, struct work_state);
	say("cleanup of %s: %s", s->name, states[state]);
}

static bool on_cancel(struct tevent_req *req)
{
	say("cancel function");
	tevent_req_error(req, ECANCELED);
	return true;
}

static char *on_print(struct tevent_req *req, TALLOC_CTX *mem)
{
	return talloc_strdup(mem, "printed by hand");
}

static struct tevent_req *work(TALLOC_CTX *mem, const char *name)
{
	struct work_state *state;
	struct tevent_req *req = tevent_req_create(mem, &state, struct work_state);

	check(state->name == NULL);
	check(talloc_parent(state) == req);
	check(strcmp(talloc_get_name(req), "struct tevent_req") == 0);
	check(strcmp(talloc_get_name(state), "struct work_state") == 0);
	state->name = name;
	tevent_req_set_cleanup_fn(req, on_cleanup);
	tevent_req_set_callback(req, on_done, (void *)name);
	return req;
}

static int gone(void *chunk)
{
	say("%s is gone", talloc_get_name(chunk));
	return 0;
}

static void *mark(TALLOC_CTX *mem, const char *name)
{
	void *chunk = talloc_named_const(mem, 1, name);
	_talloc_set_destructor(chunk, gone);
	return chunk;
}

static void finishing(struct tevent_context *ev)
{
	struct tevent_req *req;

	say("== finishing");
	req = work(ev, "done");
	mark(tevent_req_data(req, struct work_state), "what the state has");
	mark(req, "what the request has");
	report("before", req);
	tevent_req_done(req);
	say("receive");
	tevent_req_received(req);
	check(tevent_req_callback_data_void(req) != NULL);
	talloc_free(req);
	req = work(ev, "error");
	say("error 0: %d", tevent_req_error(req, 0));
	say("error: %d", tevent_req_error(req, 1ULL << 40));
	talloc_free(req);
	req = work(ev, "out of memory");
	say("nomem: %d", tevent_req_nomem(req, req));
	say("nomem: %d", tevent_req_nomem(NULL, req));
	talloc_free(req);
	req = work(ev, "oom");
	tevent_req_oom(req);
	talloc_free(req);
	req = work(ev, "freed early");
	talloc_free(req);
	req = work(ev, "notified");
	tevent_req_notify_callback(req);
	talloc_free(req);
	req = work(ev, "frees itself");
	tevent_req_set_callback(req, on_done_free, "frees itself");
	tevent_req_done(req);
}

static void on_cleanup_fail(struct tevent_req *req, enum tevent_req_state state)
{
	on_cleanup(req, state);
	tevent_req_error(req, 7);
}

/* Allowed, if hardly ever meant: each finish counts. */
static void twice(struct tevent_context *ev)
{
	struct tevent_req *req = work(ev, "twice");

	say("== finishing twice");
	tevent_req_done(req);
	tevent_req_error(req, 5);
	tevent_req_done(req);
	talloc_free(req);
	req = work(ev, "its cleanup fails");
	tevent_req_set_cleanup_fn(req, on_cleanup_fail);
	tevent_req_done(req);
	tevent_req_set_cleanup_fn(req, NULL);
	talloc_free(req);
	req = work(ev, "late cleanup");
	tevent_req_set_cleanup_fn(req, NULL);
	tevent_req_done(req);
	tevent_req_set_cleanup_fn(req, on_cleanup);
	tevent_req_done(req);
	tevent_req_error(req, 5);
	talloc_free(req);
	req = work(ev, "posted in progress");
	tevent_req_post(req, ev);
	run(ev);
	tevent_req_defer_callback(req, ev);
	tevent_req_notify_callback(req);
	say("deferred");
	run(ev);
	talloc_free(req);
}

static void posting(struct tevent_context *ev)
{
	struct tevent_req *req, *other;

	say("== posting");
	req = work(ev, "posted");
	tevent_req_set_callback(req, NULL, NULL);
	tevent_req_done(req);
	check(tevent_req_post(req, ev) == req);
	tevent_req_set_callback(req, on_done, "posted");
	run(ev);
	talloc_free(req);
	req = work(ev, "first deferred");
	other = work(ev, "second deferred");
	tevent_req_defer_callback(req, ev);
	tevent_req_defer_callback(other, ev);
	tevent_req_done(req);
	tevent_req_error(other, 5);
	say("loop");
	run(ev);
	talloc_free(req);
	talloc_free(other);
	req = work(ev, "freed before its post");
	tevent_req_done(tevent_req_post(req, ev));
	talloc_free(req);
	run(ev);
	req = work(ev, "received before its post");
	tevent_req_defer_callback(req, ev);
	tevent_req_done(req);
	tevent_req_received(req);
	run(ev);
	talloc_free(req);
}

static void times(struct tevent_context *ev)
{
	struct tevent_req *req = work(ev, "end time");

	say("== end times");
	check(tevent_req_set_endtime(req, ev, IN(2)));
	say("poll %d", tevent_req_poll(req, ev));
	talloc_free(req);
	req = work(ev, "no end time");
	check(tevent_req_set_endtime(req, ev, ZERO));
	tevent_req_reset_endtime(req);
	run(ev);
	report("after", req);
	check(tevent_req_set_endtime(req, ev, ZERO));
	tevent_req_done(req);
	run(ev);
	talloc_free(req);
	req = tevent_wakeup_send(ev, ev, IN(1));
	tevent_req_set_callback(req, on_done, "wakeup");
	run(ev);
	say("woken %d", tevent_wakeup_recv(req));
	talloc_free(req);
}

static void cancelling(struct tevent_context *ev)
{
	struct tevent_req *req = work(ev, "cancelled");

	say("== cancelling");
	say("cancel %d", tevent_req_cancel(req));
	tevent_req_set_cancel_fn(req, on_cancel);
	say("cancel %d", tevent_req_cancel(req));
	tevent_req_received(req);
	say("cancel %d", tevent_req_cancel(req));
	talloc_free(req);
}

static void printing(struct tevent_context *ev)
{
	struct tevent_req *req = work(ev, "printed");
	char *text, *at;

	say("== printing");
	text = tevent_req_print(ev, req);
	at = strstr(text, "/requests.c:");
	check(at != NULL && strstr(at, "state[1] error[0 (0x0)]  state[struct work_state (0x") != NULL);
	check(strstr(at, ")] timer[(nil)] finish[(null)]") != NULL);
	tevent_req_error(req, 255);
	text = tevent_req_default_print(req, ev);
	check(strstr(text, "state[3] error[255 (0xFF)]") != NULL && strstr(text, "finish[requests.c:") != NULL);
	tevent_req_set_print_fn(req, on_print);
	say("%s", tevent_req_print(ev, req));
	tevent_req_received(req);
	text = tevent_req_print(ev, req);
	check(strstr(text, "state[6] error[255 (0xFF)]  state[struct work_state ((nil))]") != NULL);
	talloc_free(req);
}

static void profile(const struct tevent_req_profile *p, int depth)
{
	const char *name, *start, *stop;
	struct timeval begin, end;
	pid_t pid;
	enum tevent_req_state state;
	uint64_t error;

	tevent_req_profile_get_name(p, &name);
	tevent_req_profile_get_start(p, &start, &begin);
	tevent_req_profile_get_stop(p, &stop, &end);
	tevent_req_profile_get_status(p, &pid, &state, &error);
	say("%*s%s: stopped %d state %s error %d in order %d", depth * 2, "", name, stop != NULL, states[state],
	    (int)error, tevent_timeval_compare(&begin, &end) <= 0 || stop == NULL);
	for (p = tevent_req_profile_get_subprofiles(p); p != NULL; p = tevent_req_profile_next(p)) {
		profile(p, depth + 1);
	}
}

static void profiles(struct tevent_context *ev)
{
	struct tevent_req *req = work(ev, "profiled"), *sub, *lost;
	struct tevent_req_profile *p, *other;

	say("== profiles");
	check(tevent_req_get_profile(req) == NULL);
	check(tevent_req_set_profile(req));
	sub = tevent_wakeup_send(tevent_req_data(req, struct work_state), ev, ZERO);
	lost = work(tevent_req_data(req, struct work_state), "lost");
	tevent_req_set_cleanup_fn(lost, NULL);
	talloc_free(lost);
	sub = work(tevent_req_data(req, struct work_state), "sub");
	tevent_req_set_cleanup_fn(sub, NULL);
	tevent_req_error(sub, 3);
	run(ev);
	tevent_req_done(req);
	profile(tevent_req_get_profile(req), 0);
	p = tevent_req_move_profile(req, ev);
	check(tevent_req_get_profile(req) == NULL);
	talloc_free(req);
	profile(p, 0);
	other = tevent_req_profile_create(ev);
	check(tevent_req_profile_set_name(other, "by hand"));
	check(tevent_req_profile_set_start(other, "here", tevent_timeval_set(1, 2)));
	check(tevent_req_profile_set_stop(other, "there", tevent_timeval_set(3, 4)));
	tevent_req_profile_set_status(other, getpid(), TEVENT_REQ_USER_ERROR, 9);
	tevent_req_profile_append_sub(other, &p);
	check(p == NULL);
	profile(other, 0);
	talloc_free(other);
	req = work(ev, "profiled twice");
	say("%d", tevent_req_set_profile(req));
	say("%d", tevent_req_set_profile(req));
	talloc_free(req);
}

static size_t depth;

static void on_depth(struct tevent_req *req)
{
	say("in the callback: depth %zu", depth);
}

static void depths(struct tevent_context *ev)
{
	struct tevent_req *req, *sub;
	struct work_state *state;

	say("== call depth");
	depth = 77;
	tevent_thread_call_depth_activate(&depth);
	req = tevent_req_create(ev, &state, struct work_state);
	say("untracked: %zu", depth);
	tevent_thread_call_depth_start(req);
	sub = tevent_req_create(state, &state, struct work_state);
	say("below the start: %zu", depth);
	tevent_thread_call_depth_reset_from_req(req);
	say("reset from the request: %zu", depth);
	tevent_req_set_callback(sub, on_depth, NULL);
	depth = 50;
	tevent_req_done(sub);
	say("after the callback: %zu", depth);
	tevent_thread_call_depth_deactivate();
	depth = 60;
	tevent_thread_call_depth_reset_from_req(req);
	say("deactivated: %zu", depth);
	talloc_free(req);
}

static void parents(struct tevent_context *ev)
{
	TALLOC_CTX *mem = talloc_new(ev);
	struct tevent_req *req = work(mem, "parent");
	struct tevent_req *sub = work(tevent_req_data(req, struct work_state), "child");

	say("== freeing a parent");
	mark(sub, "what the child has");
	tevent_wakeup_send(sub, ev, ZERO);
	talloc_free(mem);
	run(ev);
}

int main(void)
{
	struct tevent_context *ev = tevent_context_init(NULL);

	finishing(ev);
	twice(ev);
	posting(ev);
	times(ev);
	cancelling(ev);
	printing(ev);
	profiles(ev);
	depths(ev);
	parents(ev);
	return talloc_free(ev);
}
