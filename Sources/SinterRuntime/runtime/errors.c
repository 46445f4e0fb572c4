/* errors.c: what went wrong, in words. */
#include "internal.h"

#include <sched.h>

/* What is kept per thread, only where something failed there. A list rather than thread-local storage, which would bind the library
 * to the dynamic linker. A thread that gets the identity of one that ended takes over its notes. */
typedef struct Notes {
  struct Notes *next;
  pthread_t thread;
  KernelError report;
  char open_message[MESSAGE_BYTES];
} Notes;

static Notes *all_notes;
static pthread_mutex_t notes_lock = PTHREAD_MUTEX_INITIALIZER;

/* This thread's notes. NULL where it has none and should get none, or there is no memory. */
static Notes *thread_notes(bool make) {
  pthread_t thread = pthread_self();
  pthread_mutex_lock(&notes_lock);
  Notes *notes = all_notes;
  while (notes && !pthread_equal(notes->thread, thread)) notes = notes->next;
  if (!notes && make && (notes = calloc(1, sizeof *notes))) {
    notes->thread = thread;
    notes->next = all_notes;
    all_notes = notes;
  }
  pthread_mutex_unlock(&notes_lock);
  return notes;
}

__attribute__((destructor)) static void free_notes(void) {
  while (all_notes) {
    Notes *next = all_notes->next;
    free(all_notes);
    all_notes = next;
  }
}

int32_t fail(SinterSession *session, int32_t status, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(session->message, sizeof session->message, format, arguments);
  va_end(arguments);
  return status;
}

int32_t fail_open(int32_t status, const char *format, ...) {
  Notes *notes = thread_notes(true);
  if (!notes) return status;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(notes->open_message, sizeof notes->open_message, format, arguments);
  va_end(arguments);
  return status;
}

void forget_open_failure(void) {
  Notes *notes = thread_notes(false);
  if (notes) notes->open_message[0] = 0;
}

int32_t fail_busy(SinterSession *session) {
  /* Who begins a run notes that nobody came yet, and who it is, in a few instructions. */
  while (atomic_load_explicit(&session->running, memory_order_acquire) == RUN_BEGINS) sched_yield();
  atomic_store_explicit(&session->was_busy, true, memory_order_relaxed);
  return SINTER_BUSY;
}

const char *error_message(const SinterSession *session) {
  if (!session) {
    Notes *notes = thread_notes(false);
    return notes ? notes->open_message : "";
  }
  bool is_runner = pthread_equal(atomic_load_explicit(&session->runner, memory_order_relaxed), pthread_self());
  if (!is_runner && atomic_load_explicit(&session->was_busy, memory_order_relaxed))
    return "this session is inside run() already; open a session for each thread";
  return session->message;
}

/* Copies a message of the program; %0 to %9 stand for values. */
static void format_error(SinterSession *session, const char *text, const int64_t *values, int32_t count) {
  char *to = session->message, *end = to + sizeof session->message - 1;
  while (*text && to < end) {
    if (text[0] == '%' && text[1] >= '0' && text[1] <= '9' && text[1] - '0' < count) {
      int written = snprintf(to, (size_t)(end - to) + 1, "%lld", (long long)values[text[1] - '0']);
      to = written > end - to ? end : to + written;
      text += 2;
    } else {
      *to++ = *text++;
    }
  }
  *to = 0;
}

int32_t sinter_fail(SinterFrame *frame, int32_t status, int32_t index, const int64_t *values, int32_t count) {
  SinterSession *session = frame->session;
  if (index < 0 || (size_t)index >= session->program->error_count)
    return fail(session, status, "internal error: the program has no error %d", index);
  format_error(session, session->program->errors[index], values, count);
  return status;
}

int32_t sinter_report(int32_t error, int64_t value, int64_t bound) {
  Notes *notes = thread_notes(true);
  if (notes) notes->report = (KernelError){error, true, {value, bound}};
  return error;
}

KernelError take_report(int32_t error) {
  KernelError taken = {.error = error};
  Notes *notes = thread_notes(false);
  if (notes && notes->report.error == error) taken = notes->report;
  if (notes) notes->report = (KernelError){0};
  return taken;
}

int32_t sinter_fail_kernel(SinterFrame *frame, int32_t error) { return fail_kernel(frame->session, take_report(error)); }

int32_t fail_kernel(SinterSession *session, KernelError error) {
  int32_t index = error.error - 1, status;
  /* What is still negative was a place counted from the end, to which the bound has been added. */
  const int64_t value = error.values[0], bound = error.values[1];
  const int64_t values[] = {value, bound, value < 0 ? (int64_t)((uint64_t)value - (uint64_t)bound) : value};
  status = sinter_fail(&session->frame, SINTER_RUNTIME_ERROR, index, values, error.has_values ? 3 : 0);
  if (!error.has_values || index < 0 || (size_t)index >= session->program->error_count) return status;
  const char *text = session->program->errors[index];
  if (strstr(text, "%0") || strstr(text, "%2")) return status;
  size_t used = strlen(session->message);
  snprintf(session->message + used, sizeof session->message - used, ": %lld", (long long)error.values[0]);
  return status;
}

TypeName type_name(SinterDataType type) {
  static const char *const names[] = {
    "int", "uint", "float", "handle", "bfloat", "complex", "bool", "float8_e3m4", "float8_e4m3", "float8_e4m3b11fnuz",
    "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu", "float6_e2m3fn",
    "float6_e3m2fn", "float4_e2m1fn",
  };
  TypeName name;
  if (type.code == SINTER_STRING) snprintf(name.text, sizeof name.text, "string");
  else if (type.code >= sizeof names / sizeof *names) snprintf(name.text, sizeof name.text, "type %u", type.code);
  else if (type.code >= 6) snprintf(name.text, sizeof name.text, "%s", names[type.code]);
  else snprintf(name.text, sizeof name.text, "%s%u", names[type.code], type.bits);
  size_t used = strlen(name.text);
  if (type.lanes != 1) snprintf(name.text + used, sizeof name.text - used, "x%u", type.lanes);
  return name;
}

const char *kind_name(int32_t kind) {
  switch (kind) {
    case SINTER_NONE: return "empty";
    case SINTER_TENSOR: return "a tensor";
    case SINTER_SEQUENCE: return "a sequence";
    case SINTER_MAP: return "a map";
  }
  return "of an unknown kind";
}
