// The words spoken to sandd, read from bytes (README.md, "Words"). Pure: no system call, no allocation.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "policy.h"

enum {
  MESSAGE_MAX = 256 * 1024, // a whole message with its length
  ARGV_MAX = 64,
  ENV_MAX = 512,
  BIND_MAX = 32,
  ID_LENGTH = 31, // c-xxxxxxxx-xxxxxxxxxxxxxxxxxxxx
  PATH_LIMIT = 1024,
  TOKEN_MAX = 128,
  LINE_MAX_LENGTH = 2048,     // of a start line
  SPARE_LINE_MAX = 32 * 1024, // with an environment in it: less than a pipe holds
};
#define NOBODY_ELSE UINT32_MAX

enum word { AUTHENTICATE = 1, START, STOP, FREEZE, THAW, SPARE, ASSIGN, LEND, BACKGROUND, FOREGROUND, EXEC, ATTACH, KEEP, CONFIGURE = 16, ALLOW, DONE = 64, FAILED, EXITED, WANTED, DROPPED };
enum tier { TIER_NONE, TIER_USER, TIER_STRONG, TIER_RESTRICTED, TIERS };
// A way into a network of its own (relay.c): RELAY_IN from s.sock to a port, RELAY_OUT from a port to a.sock.
enum relay { RELAY_NONE, RELAY_IN, RELAY_OUT, RELAYS };
enum network { NETWORK_HOST, NETWORK_NONE, NETWORK_OPEN, NETWORKS };

// Every pointer leads into the message's own bytes and is ended by a zero byte there.
struct program {
  uint16_t argc, envc;
  char *argv[ARGV_MAX + 1], *env[ENV_MAX + 1];
};

struct start {
  const char *id, *code, *start_line;
  uint32_t memory_mb, cpu; // cpu: thousandths of a processor that it may use; 0: as many as there are
  bool is_spare; // it waits for an ASSIGN: `code` is where all packages are, there is no start line yet; argc 0: nor a program
  enum network network;
  enum relay relay;
  uint16_t relay_port;
  bool is_image; // its root is what the binds show, not the system's
  bool is_background; // as soon as its program runs
  uint16_t bindc;
  struct program program;
  struct { const char *from, *to; } binds[BIND_MAX];
};

// A further process of a running instance.
struct exec {
  const char *directory; // where it starts
  bool has_terminal;
  uint16_t rows, columns; // of the terminal
  uint16_t argc, envc;
  char *argv[ARGV_MAX + 1], *env[ENV_MAX + 1];
};

struct message {
  enum word word;
  uint32_t call;
  const char *id;          // STOP, FREEZE, THAW, ASSIGN, BACKGROUND, FOREGROUND, EXEC
  uint32_t grace_ms;       // STOP
  const char *token;       // AUTHENTICATE, LEND, ATTACH, KEEP, CONFIGURE
  const char *run_dir;     // CONFIGURE
  const char *directory;   // ALLOW
  uint32_t owner, group;   // CONFIGURE: uid and gid of the data process; NOBODY_ELSE: ours
  enum tier tier;          // CONFIGURE
  enum network networks;   // CONFIGURE: the best that instances may have; made if they can be made, by this policy
  struct policy policy;
  struct start start;      // START, SPARE
  const char *code, *start_line; // ASSIGN
  struct program program;        // ASSIGN: what a spare without one is to run; argc 0: nothing
  uint32_t memory_mb, cpu; // ASSIGN
  uint32_t session;        // EXEC, ATTACH; never 0
  struct exec exec;        // EXEC
  const uint8_t *bytes;    // all of it, for who hands it on
  size_t length;
};

uint32_t read_u32(const uint8_t *bytes);
void write_u32(uint8_t *bytes, uint32_t value);

// The length of the message that `bytes` begin with, its own four bytes included; 0 when more is needed to know,
// MESSAGE_MAX + 1 when no message may be so long or so short.
size_t message_length(const uint8_t *bytes, size_t length);

// Reads one whole message. NULL when it is right, else what is wrong with it; `call` is set whenever it could be read.
const char *parse_message(uint8_t *bytes, size_t length, struct message *message);
