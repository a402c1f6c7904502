/*
 * What stable Rust cannot say: functions with a variable list of arguments. Everything else is in Rust.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <tevent.h>

bool tevent_capi_debug_sink(struct tevent_context *ev, int level, tevent_debug_fn *sink, void **private_data);
void tevent_capi_debug_stderr(void *private_data, enum tevent_debug_level level, const char *fmt, va_list ap);
void tevent_debug(struct tevent_context *ev, enum tevent_debug_level level, const char *fmt, ...);

void tevent_debug(struct tevent_context *ev, enum tevent_debug_level level, const char *fmt, ...)
{
	tevent_debug_fn sink;
	void *private_data;
	va_list ap;

	if (!tevent_capi_debug_sink(ev, level, &sink, &private_data)) {
		return;
	}
	va_start(ap, fmt);
	sink(private_data, level, fmt, ap);
	va_end(ap);
}

/* The sink of tevent_set_debug_stderr(). */
void tevent_capi_debug_stderr(void *private_data, enum tevent_debug_level level, const char *fmt, va_list ap)
{
	(void)private_data;
	if (level <= TEVENT_DEBUG_WARNING) {
		vfprintf(stderr, fmt, ap);
	}
}
