// Reading of the words. Called by owner.c and sandd.c with bytes from sockets, and by fuzz.c with any bytes.
#include "messages.h"
#include <string.h>

uint32_t read_u32(const uint8_t *bytes) {
  return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

void write_u32(uint8_t *bytes, uint32_t value) {
  for (int at = 0; at < 4; at++) bytes[at] = (uint8_t)(value >> (24 - 8 * at));
}

size_t message_length(const uint8_t *bytes, size_t length) {
  if (length < 4) return 0;
  uint32_t rest = read_u32(bytes);
  return rest < 5 || rest > MESSAGE_MAX - 4 ? MESSAGE_MAX + 1 : (size_t)rest + 4;
}

// What is still unread. A read that fails sets `is_short` and gives a harmless value, so that callers check once.
struct reader { uint8_t *at, *end; bool is_short; };

static uint32_t take_number(struct reader *reader, int bytes) {
  uint32_t value = 0;
  if (reader->end - reader->at < bytes) reader->is_short = true;
  if (reader->is_short) return 0;
  for (int count = 0; count < bytes; count++) value = value << 8 | *reader->at++;
  return value;
}

// u16 length with the closing zero byte, then the bytes: usable where it stands.
static char *take_text(struct reader *reader) {
  static char nothing[1];
  size_t length = take_number(reader, 2);
  if (reader->is_short || length == 0 || (size_t)(reader->end - reader->at) < length ||
      memchr(reader->at, 0, length) != reader->at + length - 1) {
    reader->is_short = true;
    nothing[0] = 0;
    return nothing;
  }
  char *text = (char *)reader->at;
  reader->at += length;
  return text;
}

static bool is_id(const char *text) {
  if (strlen(text) != ID_LENGTH || memcmp(text, "c-", 2) != 0 || text[10] != '-') return false;
  for (int at = 2; at < ID_LENGTH; at++)
    if (at != 10 && !(text[at] >= '0' && text[at] <= '9') && !(text[at] >= 'a' && text[at] <= 'f')) return false;
  return true;
}

// Absolute, short enough, and with no part that is empty or leads elsewhere.
static bool is_path(const char *text) {
  size_t length = strlen(text);
  if (text[0] != '/' || length < 2 || length >= PATH_LIMIT || text[length - 1] == '/') return false;
  for (const char *part = text; part != NULL; part = strchr(part + 1, '/')) {
    size_t size = strcspn(part + 1, "/");
    if (size == 0 || (part[1] == '.' && (size == 1 || (size == 2 && part[2] == '.')))) return false;
  }
  return true;
}

static const char *check_size(uint32_t memory_mb, uint32_t cpu) {
  if (memory_mb < 16 || memory_mb > 1024 * 1024) return "memoryMb is out of range";
  return cpu != 0 && (cpu < 50 || cpu > 1024 * 1000) ? "cpu is out of range" : NULL;
}

static const char *parse_program(struct reader *reader, struct program *program) {
  uint32_t argc = take_number(reader, 2);
  if (argc > ARGV_MAX) return "argv is too long";
  for (uint32_t at = 0; at < argc && !reader->is_short; at++) program->argv[program->argc++] = take_text(reader);
  uint32_t envc = take_number(reader, 2);
  if (envc > ENV_MAX) return "the environment has too many variables";
  for (uint32_t at = 0; at < envc && !reader->is_short; at++) program->env[program->envc++] = take_text(reader);
  if (reader->is_short) return NULL; // told by the caller
  if (program->argc > 0 && !is_path(program->argv[0])) return "argv must begin with an absolute path";
  for (int at = 0; at < program->envc; at++)
    if (program->env[at][0] == '=' || strchr(program->env[at], '=') == NULL) return "the environment is malformed";
  return NULL;
}

static const char *parse_start(struct reader *reader, struct start *start) {
  start->id = take_text(reader);
  start->memory_mb = take_number(reader, 4);
  start->cpu = take_number(reader, 4);
  uint32_t network = take_number(reader, 1);
  start->code = take_text(reader);
  start->start_line = take_text(reader);
  const char *malformed = parse_program(reader, &start->program);
  if (malformed != NULL) return malformed;
  uint32_t bindc = take_number(reader, 2);
  if (bindc > BIND_MAX) return "too many binds";
  for (uint32_t at = 0; at < bindc && !reader->is_short; at++, start->bindc++) {
    start->binds[at].from = take_text(reader);
    start->binds[at].to = take_text(reader);
  }
  uint32_t relay = take_number(reader, 1);
  start->relay_port = (uint16_t)take_number(reader, 2);
  uint32_t is_image = take_number(reader, 1), is_background = take_number(reader, 1);
  if (reader->is_short) return NULL; // told by the caller
  if (relay >= RELAYS || (relay != RELAY_NONE) != (start->relay_port != 0)) return "the relay is malformed";
  start->relay = (enum relay)relay;
  if (is_image > 1) return "the kind of root is unknown";
  start->is_image = is_image == 1;
  if (is_background > 1) return "the class is unknown";
  start->is_background = is_background == 1;
  if (!is_id(start->id)) return "instanceId is malformed";
  const char *wrong = check_size(start->memory_mb, start->cpu);
  if (wrong != NULL) return wrong;
  if (network >= NETWORKS) return "the network mode is unknown";
  start->network = (enum network)network;
  if (!is_path(start->code)) return "the code directory must be an absolute path";
  if (strlen(start->start_line) > LINE_MAX_LENGTH) return "the start line is too long";
  if (start->program.argc == 0 && !start->is_spare) return "argv must begin with an absolute path";
  for (int at = 0; at < start->bindc; at++)
    if ((start->binds[at].from[0] == 0 ? !start->is_image : !is_path(start->binds[at].from)) || !is_path(start->binds[at].to))
      return "a bind must have absolute paths";
  return NULL;
}

static const char *parse_assign(struct reader *reader, struct message *message) {
  message->id = take_text(reader);
  message->memory_mb = take_number(reader, 4);
  message->cpu = take_number(reader, 4);
  message->code = take_text(reader);
  message->start_line = take_text(reader);
  const char *malformed = parse_program(reader, &message->program);
  if (malformed != NULL || reader->is_short) return malformed; // short: told by the caller
  if (!is_path(message->code)) return "the code directory must be an absolute path";
  if (strlen(message->start_line) > SPARE_LINE_MAX) return "the start line is too long";
  return check_size(message->memory_mb, message->cpu);
}

static const char *parse_exec(struct reader *reader, struct message *message) {
  struct exec *exec = &message->exec;
  message->id = take_text(reader);
  message->session = take_number(reader, 4);
  exec->directory = take_text(reader);
  uint32_t has_terminal = take_number(reader, 1);
  exec->rows = (uint16_t)take_number(reader, 2);
  exec->columns = (uint16_t)take_number(reader, 2);
  uint32_t argc = take_number(reader, 2);
  if (argc > ARGV_MAX) return "the command is too long";
  for (uint32_t at = 0; at < argc && !reader->is_short; at++) exec->argv[exec->argc++] = take_text(reader);
  uint32_t envc = take_number(reader, 2);
  if (envc > ENV_MAX) return "the environment has too many variables";
  for (uint32_t at = 0; at < envc && !reader->is_short; at++) exec->env[exec->envc++] = take_text(reader);
  if (reader->is_short) return NULL; // told by the caller
  if (has_terminal > 1 || message->session == 0) return "the session is malformed";
  exec->has_terminal = has_terminal == 1;
  if (!is_path(exec->directory)) return "the directory must be an absolute path";
  if (exec->argc == 0 || exec->argv[0][0] == 0) return "there is no command";
  for (int at = 0; at < exec->envc; at++)
    if (exec->env[at][0] == '=' || strchr(exec->env[at], '=') == NULL) return "the environment is malformed";
  return NULL;
}

static void parse_blocks(struct reader *reader, struct blocks *blocks) {
  uint32_t count = take_number(reader, 2);
  if (count > BLOCKS_MAX) reader->is_short = true;
  for (uint32_t at = 0; at < count && !reader->is_short; at++) {
    blocks->list[at].address = take_number(reader, 4);
    blocks->list[at].bits = (uint8_t)take_number(reader, 1);
    if (blocks->list[at].bits > 32) reader->is_short = true;
    blocks->count = (int)at + 1;
  }
}

const char *parse_message(uint8_t *bytes, size_t length, struct message *message) {
  memset(message, 0, sizeof *message);
  message->bytes = bytes;
  message->length = length;
  if (message_length(bytes, length) != length) return "the message is not whole";
  struct reader reader = {bytes + 4, bytes + length, false};
  uint32_t word = take_number(&reader, 1);
  message->word = (enum word)word;
  message->call = take_number(&reader, 4);
  const char *wrong = NULL;
  switch (word) {
    case AUTHENTICATE:
    case LEND:
    case KEEP:
      message->token = take_text(&reader);
      break;
    case START:
    case SPARE:
      message->start.is_spare = word == SPARE;
      wrong = parse_start(&reader, &message->start);
      break;
    case ASSIGN:
      wrong = parse_assign(&reader, message);
      break;
    case EXEC:
      wrong = parse_exec(&reader, message);
      break;
    case ATTACH:
      message->token = take_text(&reader);
      message->session = take_number(&reader, 4);
      if (message->session == 0) return "the session is malformed";
      break;
    case STOP:
      message->id = take_text(&reader);
      message->grace_ms = take_number(&reader, 4);
      break;
    case FREEZE:
    case THAW:
    case BACKGROUND:
    case FOREGROUND:
      message->id = take_text(&reader);
      break;
    case CONFIGURE: {
      message->run_dir = take_text(&reader);
      message->token = take_text(&reader);
      uint32_t tier = take_number(&reader, 1);
      if (tier >= TIERS) return "the tier is unknown";
      message->tier = (enum tier)tier;
      message->owner = take_number(&reader, 4);
      message->group = take_number(&reader, 4);
      uint32_t networks = take_number(&reader, 1);
      if (networks >= NETWORKS) return "the network mode is unknown";
      message->networks = (enum network)networks;
      parse_blocks(&reader, &message->policy.allowed);
      parse_blocks(&reader, &message->policy.refused);
      if (!reader.is_short && (!is_path(message->run_dir) || strlen(message->run_dir) > 60)) return "the run directory is no short absolute path";
      if (strlen(message->token) > TOKEN_MAX || (!reader.is_short && strlen(message->token) < 32)) return "the token has the wrong length";
      break;
    }
    case ALLOW:
      message->directory = take_text(&reader);
      if (!reader.is_short && !is_path(message->directory)) return "the directory is no absolute path";
      break;
    default:
      return "the word is unknown";
  }
  if (wrong != NULL) return wrong;
  if (reader.is_short) return "the message is cut off or holds malformed text";
  if (reader.at != reader.end) return "the message is too long for its word";
  if (message->id != NULL && !is_id(message->id)) return "instanceId is malformed";
  if (message->grace_ms > 600 * 1000) message->grace_ms = 600 * 1000;
  return NULL;
}
