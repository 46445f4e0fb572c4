/* errors.c: what went wrong, in words. */
#include "internal.h"

static _Thread_local char open_message[MESSAGE_BYTES];
static _Thread_local const SinterSession *busy_session;
static _Thread_local KernelError report;

int32_t fail(SinterSession *session, int32_t status, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(session->message, sizeof session->message, format, arguments);
  va_end(arguments);
  busy_session = NULL;
  return status;
}

int32_t fail_open(int32_t status, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(open_message, sizeof open_message, format, arguments);
  va_end(arguments);
  return status;
}

int32_t fail_busy(const SinterSession *session) {
  busy_session = session;
  return SINTER_BUSY;
}

const char *error_message(const SinterSession *session) {
  if (!session) return open_message;
  if (session == busy_session) return "this session is inside run() already; open a session for each thread";
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
  busy_session = NULL;
  return status;
}

int32_t sinter_report(int32_t error, int64_t value) {
  report = (KernelError){error, true, value};
  return error;
}

KernelError take_report(int32_t error) {
  KernelError taken = report.error == error ? report : (KernelError){error, false, 0};
  report = (KernelError){0};
  return taken;
}

int32_t sinter_fail_kernel(SinterFrame *frame, int32_t error) { return fail_kernel(frame->session, take_report(error)); }

int32_t fail_kernel(SinterSession *session, KernelError error) {
  int32_t index = error.error - 1, status;
  status = sinter_fail(&session->frame, SINTER_RUNTIME_ERROR, index, &error.value, error.has_value);
  if (!error.has_value || index < 0 || (size_t)index >= session->program->error_count) return status;
  if (strstr(session->program->errors[index], "%0")) return status;
  size_t used = strlen(session->message);
  snprintf(session->message + used, sizeof session->message - used, ": %lld", (long long)error.value);
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
