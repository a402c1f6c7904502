/* Finishing requests and what leads to their callbacks. */
#include "world.h"

static struct request *live_request(const struct word *a)
{
	struct request *r = &w.requests[a->n];

	/* Of a received request the header says that no further action is valid; see README.md. */
	if (w.freed || !r->live || state_of(r) == TEVENT_REQ_RECEIVED) {
		skip();
		return NULL;
	}
	return r;
}

/* REQ-15: finishing twice, also by an end time that comes later, is undefined in C. */
static struct request *unfinished(const struct word *a)
{
	struct request *r = &w.requests[a->n];

	if (w.freed || !r->live || r->kind != PLAIN || !tevent_req_is_in_progress(r->req)) {
		skip();
		return NULL;
	}
	return r;
}

static void op_done(const struct word *a)
{
	struct request *r = unfinished(a);

	if (r != NULL) {
		tevent_req_done(r->req);
	}
}

static void op_error(const struct word *a)
{
	struct request *r = unfinished(a);

	if (r != NULL) {
		bool said = tevent_req_error(r->req, (uint64_t)a[1].n);

		say("= %d", said);
	}
}

static void op_oom(const struct word *a)
{
	struct request *r = unfinished(a);

	if (r != NULL) {
		tevent_req_oom(r->req);
	}
}

static void op_nomem(const struct word *a)
{
	struct request *r = unfinished(a);

	if (r != NULL) {
		bool said = tevent_req_nomem(a[1].n ? &w : NULL, r->req);

		say("= %d", said);
	}
}

/*
 * Posting inside a callback, which may be a posted one that a nested turn would enter again: then C cannot free the
 * request. Posting drops an end time that `poll` may wait for.
 */
static struct request *postable(const struct word *a)
{
	struct request *r = live_request(a);

	if (r != NULL && (w.waiting || (r->calling > 0 && w.nesting))) {
		skip();
		return NULL;
	}
	return r;
}

static void op_post(const struct word *a)
{
	struct request *r = postable(a);

	if (r != NULL) {
		r->posted = true;
		tevent_req_post(r->req, w.ev);
	}
}

static void op_defer(const struct word *a)
{
	struct request *r = postable(a);

	if (r != NULL) {
		r->posted = true;
		tevent_req_defer_callback(r->req, w.ev);
	}
}

static void op_endtime(const struct word *a)
{
	struct request *r = unfinished(a);

	if (r != NULL) {
		r->timed = true;
		say("= %d", tevent_req_set_endtime(r->req, w.ev, moment(&a[1])));
	}
}

static void op_no_endtime(const struct word *a)
{
	struct request *r = unfinished(a);

	if (r == NULL) {
		return;
	}
	if (w.waiting) {
		skip();
		return;
	}
	r->timed = false;
	tevent_req_reset_endtime(r->req);
}

static void op_cancel(const struct word *a)
{
	struct request *r = &w.requests[a->n];

	if (w.freed || !r->live) {
		skip();
		return;
	}
	bool said = tevent_req_cancel(r->req);

	say("= %d", said);
}

static void op_notify(const struct word *a)
{
	struct request *r = live_request(a);

	if (r != NULL) {
		tevent_req_notify_callback(r->req);
	}
}

const struct verb finish_verbs[] = {
	{ "done", "r", op_done },       { "error", "rN", op_error },
	{ "oom", "r", op_oom },         { "nomem", "rB", op_nomem },
	{ "post", "r", op_post },       { "defer", "r", op_defer },
	{ "endtime", "rW", op_endtime }, { "no_endtime", "r", op_no_endtime },
	{ "cancel", "r", op_cancel },   { "notify", "r", op_notify },
	{ NULL, NULL, NULL },
};
