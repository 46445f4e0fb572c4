/* state_file.c: all states of a session as a safetensors file: eight bytes that tell the length of a header, the header in JSON, and the
 * elements in little-endian order one after another. https://huggingface.co/docs/safetensors */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "state files are little-endian, and so must the processor be"
#endif

/* The format's name of an element type; NULL where it has none. */
static const char *file_type(SinterDataType type) {
  static const struct { uint8_t code, bits; const char *name; } types[] = {
    {0, 8, "I8"}, {0, 16, "I16"}, {0, 32, "I32"}, {0, 64, "I64"}, {1, 8, "U8"}, {1, 16, "U16"}, {1, 32, "U32"}, {1, 64, "U64"},
    {2, 16, "F16"}, {2, 32, "F32"}, {2, 64, "F64"}, {4, 16, "BF16"}, {5, 64, "C64"}, {6, 8, "BOOL"},
  };
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (types[i].code == type.code && types[i].bits == type.bits) return types[i].name;
  return NULL;
}

/* Of a state's name, with the zero behind it. */
#define NAME_BYTES 1024

static bool is_path(const char *path) { return path && *path; }

/* ---- Writing ---- */

/* The head of a file, made piece by piece in the session's memory. */
typedef struct { Block block; size_t length; bool failed; } Header;

static void add_bytes(SinterSession *session, Header *header, const char *bytes, size_t count) {
  if (header->failed || !block_grow(&header->block, &session->memory, header->length + count, ALIGNMENT)) {
    header->failed = true;
    return;
  }
  memcpy((char *)header->block.data + header->length, bytes, count);
  header->length += count;
}

static void add_text(SinterSession *session, Header *header, const char *added) { add_bytes(session, header, added, strlen(added)); }

static void add_number(SinterSession *session, Header *header, int64_t number) {
  char digits[24];
  add_bytes(session, header, digits, (size_t)snprintf(digits, sizeof digits, "%lld", (long long)number));
}

static void add_quoted(SinterSession *session, Header *header, const char *added) {
  add_text(session, header, "\"");
  for (; *added; added++) {
    unsigned char byte = (unsigned char)*added;
    char escape[8];
    if (byte == '"' || byte == '\\') snprintf(escape, sizeof escape, "\\%c", byte);
    else if (byte < 32) snprintf(escape, sizeof escape, "\\u%04x", byte);
    else snprintf(escape, sizeof escape, "%c", byte);
    add_text(session, header, escape);
  }
  add_text(session, header, "\"");
}

/* The length and the header. */
static void add_header(SinterSession *session, Header *header) {
  const SinterProgram *program = session->program;
  int64_t offset = 0;
  add_bytes(session, header, "\0\0\0\0\0\0\0\0", 8);
  add_text(session, header, "{\"__metadata__\":{\"format\":\"pt\",\"model\":");
  add_quoted(session, header, program->name);
  add_text(session, header, "}");
  for (size_t i = 0; i < program->state_count; i++) {
    const SinterPort *port = state_port(program, i);
    add_text(session, header, ",");
    add_quoted(session, header, port->name);
    add_text(session, header, ":{\"dtype\":\"");
    add_text(session, header, file_type(port->dtype));
    add_text(session, header, "\",\"shape\":[");
    for (int32_t axis = 0; axis < port->ndim; axis++) {
      if (axis) add_text(session, header, ",");
      add_number(session, header, port->shape[axis]);
    }
    add_text(session, header, "],\"data_offsets\":[");
    add_number(session, header, offset);
    add_text(session, header, ",");
    add_number(session, header, offset += state_bytes(session, i));
    add_text(session, header, "]}");
  }
  add_text(session, header, "}");
  while (header->length % 8 && !header->failed) add_text(session, header, " ");
  if (header->failed) return;
  uint64_t length = header->length - 8;
  memcpy(header->block.data, &length, sizeof length);
}

static bool write_all(int file, const char *bytes, size_t count) {
  while (count > 0) {
    ssize_t written = write(file, bytes, count);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes += written;
    count -= (size_t)written;
  }
  return true;
}

static bool write_states(SinterSession *session, int file, const Header *header) {
  bool written = write_all(file, header->block.data, header->length);
  for (size_t i = 0; i < session->program->state_count && written; i++)
    written = write_all(file, session->states[i].current, (size_t)state_bytes(session, i));
  return written && fsync(file) == 0;
}

static int32_t fail_to_write(SinterSession *session, const char *path, int error) {
  return fail(session, SINTER_RUNTIME_ERROR, "the state file %s cannot be written: %s", path, strerror(error));
}

/* Into a device or a pipe, which cannot be replaced. */
static int32_t write_through(SinterSession *session, const char *path, const Header *header) {
  int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return fail_to_write(session, path, errno);
  bool written = write_states(session, file, header) || errno == EINVAL || errno == EROFS; /* such files need no fsync() */
  int error = errno;
  if (close(file) && written) written = false, error = errno;
  return written ? SINTER_OK : fail_to_write(session, path, error);
}

/* What a name stands for when links are followed, also where nothing is there yet. */
static bool follow_links(const char *path, char *target) {
  char link[PATH_MAX];
  if (strlen(path) >= PATH_MAX) return false;
  strcpy(target, path);
  for (int depth = 0; depth < 40; depth++) {
    ssize_t length = readlink(target, link, sizeof link - 1);
    if (length < 0) return true;
    link[length] = 0;
    char *slash = link[0] == '/' ? NULL : strrchr(target, '/');
    size_t folder = slash ? (size_t)(slash + 1 - target) : 0;
    if (folder + (size_t)length >= PATH_MAX) return false;
    memcpy(target + folder, link, (size_t)length + 1);
  }
  return false;
}

/* Under another name in the same folder first, so that what was there stays until all is written. */
static int32_t write_file(SinterSession *session, const char *path, const Header *header) {
  static atomic_uint number;
  char target[PATH_MAX], partial[PATH_MAX + 48];
  struct stat known;
  bool exists = stat(path, &known) == 0;
  if (exists && !S_ISREG(known.st_mode)) return write_through(session, path, header);
  if (!follow_links(path, target)) return fail_to_write(session, path, ENAMETOOLONG);
  snprintf(partial, sizeof partial, "%s.%ld.%u.partial", target, (long)getpid(), atomic_fetch_add(&number, 1));
  int file = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file < 0) return fail_to_write(session, path, errno);
  bool written = write_states(session, file, header) && (!exists || fchmod(file, known.st_mode & 0777) == 0);
  int error = errno;
  if (close(file) && written) written = false, error = errno;
  if (written && rename(partial, target)) written = false, error = errno;
  if (written) return SINTER_OK;
  unlink(partial);
  return fail_to_write(session, path, error);
}

static int32_t save_state(SinterSession *session, const char *path) {
  const SinterProgram *program = session->program;
  if (!is_path(path)) return fail(session, SINTER_INVALID_ARGUMENT, "no path for the state file");
  for (size_t i = 0; i < program->state_count; i++)
    if (strlen(state_port(program, i)->name) >= NAME_BYTES)
      return fail(session, SINTER_RUNTIME_ERROR, "a state has a name of more than %d bytes, and cannot be saved", NAME_BYTES - 1);
    else if (!file_type(state_port(program, i)->dtype))
      return fail(session, SINTER_RUNTIME_ERROR, "state '%s' holds %s, which safetensors files cannot hold",
                  state_port(program, i)->name, type_name(state_port(program, i)->dtype).text);
  Header header = {0};
  add_header(session, &header);
  int32_t status = header.failed ? fail(session, SINTER_OUT_OF_MEMORY, "no memory for the header of the state file")
                                 : write_file(session, path, &header);
  block_free(&header.block, &session->memory);
  return status;
}

/* ---- Reading: of JSON what such headers hold, objects of strings and of tensors ---- */

typedef struct { const char *at, *end; bool failed; } Scanner;

static void skip_spaces(Scanner *scanner) {
  while (scanner->at < scanner->end && strchr(" \t\r\n", *scanner->at) && *scanner->at) scanner->at++;
}

static bool take(Scanner *scanner, char wanted) {
  skip_spaces(scanner);
  if (scanner->failed || scanner->at == scanner->end || *scanner->at != wanted) return false;
  scanner->at++;
  return true;
}

static void expect(Scanner *scanner, char wanted) { if (!take(scanner, wanted)) scanner->failed = true; }

static size_t put_utf8(uint32_t code, char *to) {
  size_t count = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
  for (size_t i = count; i-- > 1; code >>= 6) to[i] = (char)(0x80 | (code & 0x3F));
  to[0] = (char)(lead[count] | code);
  return count;
}

static uint32_t hex_digits(Scanner *scanner) {
  uint32_t code = 0;
  for (int i = 0; i < 4; i++) {
    char digit = scanner->at < scanner->end ? *scanner->at++ : 0;
    uint32_t value = digit >= '0' && digit <= '9'   ? (uint32_t)(digit - '0')
                     : digit >= 'a' && digit <= 'f' ? (uint32_t)(digit - 'a' + 10)
                     : digit >= 'A' && digit <= 'F' ? (uint32_t)(digit - 'A' + 10)
                                                    : 16;
    if (value > 15) scanner->failed = true;
    code = code << 4 | (value & 15);
  }
  return code;
}

/* Behind `\\u`: four digits, or two times four where they are halves of a pair. */
static uint32_t code_point(Scanner *scanner) {
  uint32_t code = hex_digits(scanner);
  if (code < 0xD800 || code >= 0xDC00 || scanner->end - scanner->at < 6 || scanner->at[0] != '\\' || scanner->at[1] != 'u') return code;
  scanner->at += 2;
  return 0x10000 + ((code - 0xD800) << 10) + ((hex_digits(scanner) - 0xDC00) & 0x3FF);
}

/* A string, its end in `to` a zero. One that holds a zero, or that `to` has no room for, fails: save_state() writes no such name. */
static void string(Scanner *scanner, char *to, size_t room) {
  size_t length = 0;
  expect(scanner, '"');
  while (!scanner->failed) {
    char utf8[4];
    size_t count = 1;
    if (scanner->at == scanner->end) {
      scanner->failed = true;
      break;
    }
    utf8[0] = *scanner->at++;
    if (utf8[0] == '"') break;
    if (utf8[0] == '\\') {
      char escaped = scanner->at < scanner->end ? *scanner->at++ : 0;
      static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
      const char *known = escaped ? strchr(names, escaped) : NULL;
      if (known) utf8[0] = values[known - names];
      else if (escaped == 'u') count = put_utf8(code_point(scanner), utf8);
      else scanner->failed = true;
    }
    if (utf8[0] == 0 || length + count >= room) scanner->failed = true;
    else memcpy(to + length, utf8, count), length += count;
  }
  to[length] = 0;
}

/* A string that does not matter. */
static void skip_string(Scanner *scanner) {
  expect(scanner, '"');
  while (!scanner->failed) {
    if (scanner->at == scanner->end) scanner->failed = true;
    else if (*scanner->at == '"') break;
    else scanner->at += *scanner->at == '\\' && scanner->end - scanner->at > 1 ? 2 : 1;
  }
  expect(scanner, '"');
}

static int64_t number(Scanner *scanner) {
  skip_spaces(scanner);
  int64_t value = 0;
  const char *first = scanner->at;
  for (; scanner->at < scanner->end && *scanner->at >= '0' && *scanner->at <= '9'; scanner->at++)
    if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *scanner->at - '0', &value)) scanner->failed = true;
  if (scanner->at == first) scanner->failed = true;
  return value;
}

/* How many numbers a list has, of which `room` are kept. */
static int32_t numbers(Scanner *scanner, int64_t *to, int32_t room) {
  int32_t count = 0;
  expect(scanner, '[');
  if (take(scanner, ']')) return 0;
  do {
    int64_t value = number(scanner);
    if (count < room) to[count] = value;
    if (count < INT32_MAX) count++;
  } while (!scanner->failed && take(scanner, ','));
  expect(scanner, ']');
  return count;
}

/* What the header says of one tensor. */
typedef struct {
  char name[NAME_BYTES], type[16];
  int64_t shape[MAX_NDIM], offsets[2];
  int32_t ndim, offset_count;
} Entry;

static void scan_entry(Scanner *scanner, Entry *entry) {
  entry->type[0] = 0;
  entry->ndim = entry->offset_count = -1;
  expect(scanner, '{');
  if (take(scanner, '}')) return;
  do {
    char key[32];
    string(scanner, key, sizeof key);
    expect(scanner, ':');
    if (!strcmp(key, "dtype")) string(scanner, entry->type, sizeof entry->type);
    else if (!strcmp(key, "shape")) entry->ndim = numbers(scanner, entry->shape, MAX_NDIM);
    else if (!strcmp(key, "data_offsets")) entry->offset_count = numbers(scanner, entry->offsets, 2);
    else scanner->failed = true;
  } while (!scanner->failed && take(scanner, ','));
  expect(scanner, '}');
  if (entry->ndim < 0 || entry->offset_count != 2 || !*entry->type) scanner->failed = true;
}

static void skip_metadata(Scanner *scanner) {
  expect(scanner, '{');
  if (take(scanner, '}')) return;
  do {
    skip_string(scanner);
    expect(scanner, ':');
    skip_string(scanner);
  } while (!scanner->failed && take(scanner, ','));
  expect(scanner, '}');
}

/* ---- Holding a file against the states ---- */

/* What differs, the first of it in words, as much as a message holds. */
typedef struct { char text[MESSAGE_BYTES / 2]; size_t length; int32_t count, told; } Differences;

static void note(Differences *differences, const char *name, const char *what) {
  if (differences->told == differences->count++) {
    size_t room = sizeof differences->text - differences->length;
    int written = snprintf(differences->text + differences->length, room, "%s'%.100s' %s", differences->length ? ", " : "", name, what);
    if (written > 0 && (size_t)written < room) differences->length += (size_t)written, differences->told++;
    else differences->text[differences->length] = 0;
  }
}

/* Where the elements of each state begin, found while the header is read; -1: not there. */
static bool match_entry(SinterSession *session, const Entry *entry, int64_t data_bytes, int64_t *places, Differences *differences) {
  const SinterProgram *program = session->program;
  size_t state = 0;
  while (state < program->state_count && strcmp(state_port(program, state)->name, entry->name)) state++;
  if (state == program->state_count) {
    note(differences, entry->name, "is no state of this library");
    return true;
  }
  const SinterPort *port = state_port(program, state);
  const char *type = file_type(port->dtype);
  bool same = entry->ndim == port->ndim;
  for (int32_t i = 0; i < port->ndim && same; i++) same = entry->shape[i] == port->shape[i];
  if (!type || strcmp(type, entry->type)) note(differences, entry->name, "has another element type");
  else if (!same) note(differences, entry->name, "has another shape");
  else if (entry->offsets[0] > entry->offsets[1] || entry->offsets[1] > data_bytes ||
           entry->offsets[1] - entry->offsets[0] != state_bytes(session, state) || places[state] >= 0)
    return false;
  places[state] = entry->offsets[0];
  return true;
}

static int32_t restore_from(SinterSession *session, const char *path, const char *bytes, uint64_t count, int64_t *places) {
  const SinterProgram *program = session->program;
  Differences differences = {.text = ""};
  uint64_t length = 0;
  if (count >= 8) memcpy(&length, bytes, 8);
  if (count < 8 || length > count - 8)
    return fail(session, SINTER_INVALID_ARGUMENT, "%s is no safetensors file, or is cut short", path);
  const char *data = bytes + 8 + length;
  int64_t data_bytes = (int64_t)(count - 8 - length);
  Scanner scanner = {.at = bytes + 8, .end = data};
  for (size_t i = 0; i < program->state_count; i++) places[i] = -1;
  expect(&scanner, '{');
  if (!take(&scanner, '}')) {
    do {
      Entry entry;
      string(&scanner, entry.name, sizeof entry.name);
      expect(&scanner, ':');
      if (!strcmp(entry.name, "__metadata__")) {
        skip_metadata(&scanner);
        continue;
      }
      scan_entry(&scanner, &entry);
      if (!scanner.failed && !match_entry(session, &entry, data_bytes, places, &differences)) scanner.failed = true;
    } while (!scanner.failed && take(&scanner, ','));
    expect(&scanner, '}');
  }
  if (scanner.failed) return fail(session, SINTER_INVALID_ARGUMENT, "the header of %s is damaged", path);
  for (size_t i = 0; i < program->state_count; i++)
    if (places[i] < 0) note(&differences, state_port(program, i)->name, "is not in the file");
  char more[32] = "";
  if (differences.told < differences.count) snprintf(more, sizeof more, " and %d more", differences.count - differences.told);
  if (differences.count > 0)
    return fail(session, SINTER_SHAPE_MISMATCH, "%.300s is the state of another model: %d of its tensors differ: %s%s", path,
                differences.count, differences.text, more);
  for (size_t i = 0; i < program->state_count; i++)
    if (state_bytes(session, i) > 0) memcpy(session->states[i].current, data + places[i], (size_t)state_bytes(session, i));
  return SINTER_OK;
}

static int32_t restore_state(SinterSession *session, const char *path) {
  if (!is_path(path)) return fail(session, SINTER_INVALID_ARGUMENT, "no path for the state file");
  int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* a pipe is refused, not waited for */
  if (file < 0) return fail(session, SINTER_INVALID_ARGUMENT, "the state file %s cannot be opened: %s", path, strerror(errno));
  struct stat info;
  int32_t status = SINTER_OK;
  char *bytes = NULL;
  size_t count = 0;
  int64_t *places = memory_allocate(&session->memory, session->program->state_count * sizeof *places, ALIGNMENT);
  if (fstat(file, &info) || !S_ISREG(info.st_mode))
    status = fail(session, SINTER_INVALID_ARGUMENT, "the state file %s is no file", path);
  else bytes = memory_allocate(&session->memory, (size_t)info.st_size, ALIGNMENT);
  if (!status && (!bytes || !places))
    status = fail(session, SINTER_OUT_OF_MEMORY, "no memory to read %s: %lld bytes", path, (long long)info.st_size);
  /* All of it before anything changes: a file that cannot be read to its end leaves the states as they were. */
  while (!status && count < (size_t)info.st_size) {
    ssize_t got = read(file, bytes + count, (size_t)info.st_size - count);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) status = fail(session, SINTER_INVALID_ARGUMENT, "the state file %s cannot be read: %s", path, strerror(errno));
    if (got <= 0) break;
    count += (size_t)got;
  }
  close(file);
  if (!status) status = restore_from(session, path, bytes, count, places);
  memory_free(&session->memory, bytes);
  memory_free(&session->memory, places);
  return status;
}

int32_t session_save_state(SinterSession *session, const char *path) {
  int32_t status = session_enter(session);
  if (status) return status;
  status = save_state(session, path);
  session_leave(session);
  return status;
}

int32_t session_restore_state(SinterSession *session, const char *path) {
  int32_t status = session_enter(session);
  if (status) return status;
  status = restore_state(session, path);
  session_leave(session);
  return status;
}
