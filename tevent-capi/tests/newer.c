/* What the installed C library does not have yet; compared with newer.out. */
#include "say.h"

enum tevent_thread_call_depth_cmd { RESET, CREATE, CANCEL, CLEANUP, NOTIFY, ENTER, TRIGGER, LEAVE };
static const char *const flows[] = { "reset", "create", "cancel", "cleanup", "notify", "enter", "trigger", "leave" };
typedef void (*call_depth_callback)(void *priv, enum tevent_thread_call_depth_cmd cmd, struct tevent_req *req, size_t depth,
				    const char *name);

struct tevent_req *__tevent_req_create(TALLOC_CTX *mem, void *pstate, size_t size, const char *type, const char *func,
				       const char *location);
bool _tevent_queue_add(struct tevent_queue *q, struct tevent_context *ev, struct tevent_req *req, tevent_queue_trigger_fn_t trigger,
		       const char *name, void *priv);
struct tevent_queue_entry *_tevent_queue_add_entry(struct tevent_queue *q, struct tevent_context *ev, struct tevent_req *req,
						   tevent_queue_trigger_fn_t trigger, const char *name, void *priv);
struct tevent_queue_entry *_tevent_queue_add_optimize_empty(struct tevent_queue *q, struct tevent_context *ev, struct tevent_req *req,
							    tevent_queue_trigger_fn_t trigger, const char *name, void *priv);
void _tevent_req_set_callback(struct tevent_req *req, tevent_req_fn fn, const char *name, void *priv);
void _tevent_req_set_cancel_fn(struct tevent_req *req, tevent_req_cancel_fn fn, const char *name);
void _tevent_req_set_cleanup_fn(struct tevent_req *req, tevent_req_cleanup_fn fn, const char *name);
void _tevent_thread_call_depth_reset_from_req(struct tevent_req *req, const char *name);
int tevent_set_max_debug_level(struct tevent_context *ev, int level);
void tevent_thread_call_depth_set_callback(call_depth_callback fn, void *priv);
void tevent_common_immediate_cancel(struct tevent_immediate *im);
int tevent_context_set_wait_timeout(struct tevent_context *ev, int secs);
void tevent_reset_immediate(struct tevent_immediate *im);
void tevent_debug(struct tevent_context *ev, enum tevent_debug_level level, const char *fmt, ...);

struct state {
	int x;
};

static void on_flow(void *priv, enum tevent_thread_call_depth_cmd cmd, struct tevent_req *req, size_t depth, const char *name)
{
	say("  %s depth %zu request %d in %s", flows[cmd], depth, req != NULL, name == NULL ? "(null)" : name);
}

static void on_done(struct tevent_req *req)
{
	say("callback");
}

static void on_cleanup(struct tevent_req *req, enum tevent_req_state state)
{
	say("cleanup %d", state);
}

static bool on_cancel(struct tevent_req *req)
{
	say("cancel");
	return true;
}

static void on_turn(struct tevent_req *req, void *name)
{
	say("turn of %s", (char *)name);
}

static void on_im(struct tevent_context *ev, struct tevent_immediate *im, void *priv)
{
	say("immediate runs");
}

static void on_message(void *priv, enum tevent_debug_level level, const char *fmt, va_list ap)
{
	printf("message %d: ", level);
	vprintf(fmt, ap);
}

static struct tevent_req *create(TALLOC_CTX *mem, struct state **state, const char *func)
{
	return __tevent_req_create(mem, state, sizeof(**state), "struct state", func, __location__);
}

int main(void)
{
	struct tevent_context *ev = tevent_context_init(NULL);
	struct tevent_immediate *im = tevent_create_immediate(ev);
	struct tevent_queue *q = tevent_queue_create(ev, "q");
	struct tevent_req *req, *sub;
	struct tevent_queue_entry *entry;
	struct state *state, *below;
	int ended;

	say("== wait timeout");
	say("old %d", tevent_context_set_wait_timeout(ev, 0));
	errno = 0;
	ended = tevent_loop_once(ev);
	say("once %d again %d", ended, errno == EAGAIN);
	say("old %d", tevent_context_set_wait_timeout(ev, INT32_MAX));
	say("old %d", tevent_context_set_wait_timeout(ev, 30));

	say("== immediates");
	tevent_schedule_immediate(im, ev, on_im, NULL);
	tevent_reset_immediate(im);
	run(ev);
	tevent_schedule_immediate(im, ev, on_im, NULL);
	tevent_common_immediate_cancel(im);
	run(ev);

	say("== messages");
	say("old %d", tevent_set_max_debug_level(ev, 3));
	tevent_set_debug(ev, on_message, NULL);
	say("old %d", tevent_set_max_debug_level(ev, TEVENT_DEBUG_TRACE));
	tevent_debug(ev, TEVENT_DEBUG_TRACE, "%d %s\n", 5, "words");
	tevent_set_max_debug_level(ev, TEVENT_DEBUG_ERROR);
	tevent_debug(ev, TEVENT_DEBUG_WARNING, "not told\n");
	tevent_set_debug(ev, NULL, NULL);

	say("== call flow");
	tevent_thread_call_depth_set_callback(on_flow, NULL);
	req = create(ev, &state, "parent_send");
	sub = create(state, &below, "child_send");
	_tevent_req_set_callback(sub, on_done, "child_done", NULL);
	_tevent_req_set_cleanup_fn(sub, on_cleanup, "child_cleanup");
	_tevent_req_set_cancel_fn(sub, on_cancel, "child_cancel");
	say("cancel %d", tevent_req_cancel(sub));
	say("cancel %d", tevent_req_cancel(req));
	check(_tevent_queue_add(q, ev, sub, on_turn, "child_trigger", "1"));
	entry = _tevent_queue_add_entry(q, ev, sub, on_turn, "second_trigger", "2");
	tevent_loop_once(ev);
	say("done");
	tevent_req_done(sub);
	say("free the entry");
	talloc_free(entry);
	say("free the child");
	talloc_free(sub);
	say("direct");
	entry = _tevent_queue_add_optimize_empty(q, ev, req, on_turn, "direct_trigger", "3");
	_tevent_thread_call_depth_reset_from_req(req, "main");
	say("free the parent");
	talloc_free(req);
	tevent_thread_call_depth_set_callback(NULL, NULL);
	return talloc_free(ev);
}
