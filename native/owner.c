// Who may ask and what is answered: strangers prove themselves by the token, the first who does is the owner for good.
// Called by the loop (sandd.c) when something comes; answers are kept until the owner takes them, up to a bound.
#define _GNU_SOURCE
#include "server.h"
#include "network.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
  STRANGERS = 8,           // connections that have not proved themselves, or wait to be attached
  STRANGER_BYTES = 256,
  PROOF_MS = 5000,
  GREET_REST_MS = 100, // from connections that cannot be taken
  OUT_MAX = 1024 * 1024,   // answers that the data process has not taken yet
};

static char token[TOKEN_MAX + 1];
static int listener = -1, owner = -1;
static int64_t rests_until; // from taking connections; 0: it takes them
static struct { int socket; uint32_t session; size_t length; int64_t until; uint8_t bytes[STRANGER_BYTES]; } strangers[STRANGERS];
static uint8_t in[MESSAGE_MAX], out[OUT_MAX];
static size_t in_length, out_length;

const char *owner_listen(const char *given) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(token, sizeof token, "%s", given);
  for (int at = 0; at < STRANGERS; at++) strangers[at].socket = -1;
  snprintf(address.sun_path, sizeof address.sun_path, "%s/launcher.sock", place.run_dir);
  listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 8) != 0) return strerror(errno);
  // In the run directory, which is ours alone; who connects is looked at again by greet().
  if (lchown(address.sun_path, place.owner, (gid_t)-1) != 0) return strerror(errno);
  watch(listener, FROM_LISTENER, 0, EPOLLIN);
  return NULL;
}

// What a process that is made from this one has no use for: the token, and what was said of others. `kept`: what it is made of.
void forget_others(const struct message *kept) {
  uint8_t *from = (uint8_t *)(uintptr_t)kept->bytes, *to = from + kept->length;
  explicit_bzero(token, sizeof token);
  for (int at = 0; at < STRANGERS; at++) explicit_bzero(strangers[at].bytes, STRANGER_BYTES);
  explicit_bzero(in, (size_t)(from - in));
  explicit_bzero(to, (size_t)(in + in_length - to));
}

static void flush(void) {
  while (owner >= 0 && out_length > 0) {
    ssize_t sent = send(owner, out, out_length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN) begin_end();
    if (sent <= 0) break;
    memmove(out, out + sent, out_length - (size_t)sent);
    out_length -= (size_t)sent;
  }
  if (owner >= 0) watch(owner, FROM_OWNER, 0, EPOLLIN | (out_length > 0 ? (uint32_t)EPOLLOUT : 0));
}

void say(enum word word, uint32_t call, const void *fields, size_t length) {
  if (owner < 0) return;
  if (out_length + 9 + length > OUT_MAX) {
    report("the data process does not take its answers");
    begin_end();
    return;
  }
  write_u32(out + out_length, (uint32_t)length + 5);
  out[out_length + 4] = (uint8_t)word;
  write_u32(out + out_length + 5, call);
  memcpy(out + out_length + 9, fields, length);
  out_length += 9 + length;
  flush();
}

void say_failed(uint32_t call, const char *why) {
  uint8_t fields[2 + 512];
  size_t length = strnlen(why, 510);
  fields[0] = (uint8_t)(length >> 8);
  fields[1] = (uint8_t)length;
  memcpy(fields + 2, why, length);
  say(FAILED, call, fields, 2 + length);
}

static bool is_token(const char *given) { // looks at every byte, whatever the first ones are
  size_t length = strlen(token), given_length = strlen(given);
  volatile unsigned difference = given_length != length;
  for (size_t at = 0; at < length; at++) difference |= (unsigned)(token[at] ^ given[given_length == 0 ? 0 : at % given_length]);
  return difference == 0;
}

static void close_stranger(int index) {
  explicit_bzero(strangers[index].bytes, STRANGER_BYTES);
  if (strangers[index].socket >= 0) close(strangers[index].socket);
  strangers[index].socket = -1;
}

// Those who wait would wake the loop for ever. They are taken as soon as there are descriptors again.
static void rest(void) {
  static bool is_told;
  if (!is_told) report("connections to the launcher wait: %s", strerror(errno));
  is_told = true;
  rests_until = now_ms() + GREET_REST_MS;
  watch(listener, FROM_LISTENER, 0, 0);
}

void greet(void) {
  int socket = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), index = 0;
  struct ucred peer;
  socklen_t length = sizeof peer;
  if (socket < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) rest();
  if (socket < 0) return;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0 || (peer.uid != place.owner && peer.uid != geteuid())) {
    close(socket);
    return;
  }
  while (index < STRANGERS && strangers[index].socket >= 0) index++;
  if (index == STRANGERS) {
    close(socket);
    return;
  }
  strangers[index].socket = socket;
  strangers[index].length = 0;
  strangers[index].session = 0;
  strangers[index].until = now_ms() + PROOF_MS;
  watch(socket, FROM_STRANGER, index, EPOLLIN);
}

// Who has the token may have the doorway's sockets; that is all this connection is for.
static void lend_doorway(int index, uint32_t call) {
  uint8_t answer[9] = {0, 0, 0, 5, DONE};
  write_u32(answer + 5, call);
  if (!doorway_lend(strangers[index].socket, network_doorway(), answer, sizeof answer)) report("the doorway's sockets could not be lent");
  close_stranger(index);
}

// It is no connection any more that the owner could have to do with.
static void take_keeper(int index, uint32_t call) {
  uint8_t answer[9] = {0, 0, 0, 5, DONE};
  struct ucred peer;
  socklen_t length = sizeof peer;
  write_u32(answer + 5, call);
  int socket = strangers[index].socket;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0 || send(socket, answer, sizeof answer, MSG_NOSIGNAL) != sizeof answer) return close_stranger(index);
  unwatch(socket);
  strangers[index].socket = -1;
  pasta_take_keeper(socket, peer.pid);
}

// It waits for the owner to say what is to run at its other end.
static void attach(int index, const struct message *message) {
  uint8_t answer[9] = {0, 0, 0, 5, DONE};
  write_u32(answer + 5, message->call);
  unwatch(strangers[index].socket);
  strangers[index].session = message->session;
  if (send(strangers[index].socket, answer, sizeof answer, MSG_NOSIGNAL) != sizeof answer) close_stranger(index);
}

int take_attached(uint32_t session) {
  for (int at = 0; at < STRANGERS; at++) {
    int socket = strangers[at].socket;
    if (socket < 0 || strangers[at].session != session) continue;
    strangers[at].socket = -1;
    return socket;
  }
  return -1;
}

// It competes with its instances for the processors, as their sibling: only so its waking up can end a turn of theirs.
static void adopt_owner(void) {
  struct ucred peer;
  socklen_t length = sizeof peer;
  if (place.groups.version == 0 || getsockopt(owner, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0 || peer.pid <= 0) return;
  const char *wrong = cgroups_adopt(&place.groups, peer.pid);
  if (wrong != NULL) report("%s: %s", wrong, strerror(errno));
}

// The first with the right token is the owner, and there is never another.
void prove(int index) {
  if (strangers[index].socket < 0) return;
  size_t used = strangers[index].length;
  ssize_t length = recv(strangers[index].socket, strangers[index].bytes + used, STRANGER_BYTES - used, 0);
  if (length < 0 && errno == EAGAIN) return;
  if (length > 0) {
    used = strangers[index].length += (size_t)length;
    size_t whole = message_length(strangers[index].bytes, used);
    if (used < STRANGER_BYTES && (whole == 0 || (whole <= STRANGER_BYTES && used < whole))) return;
    struct message message;
    bool is_right = whole == used && parse_message(strangers[index].bytes, used, &message) == NULL &&
                    (message.word == AUTHENTICATE || message.word == LEND || message.word == KEEP || message.word == ATTACH) && is_token(message.token);
    explicit_bzero(strangers[index].bytes, STRANGER_BYTES);
    if (is_right && message.word == LEND) return lend_doorway(index, message.call);
    if (is_right && message.word == KEEP && pasta_wants_keeper()) return take_keeper(index, message.call);
    if (is_right && message.word == ATTACH) return attach(index, &message);
    if (is_right && message.word == AUTHENTICATE && owner < 0 && !is_ending) {
      owner = strangers[index].socket;
      strangers[index].socket = -1;
      adopt_owner();
      uint8_t answer[2] = {(uint8_t)place.tier, cgroups_have_classes(&place.groups)};
      say(DONE, message.call, answer, sizeof answer);
      return;
    }
  }
  report("a connection to the launcher that did not prove itself was closed");
  close_stranger(index);
}

static void obey(struct message *message) {
  switch (message->word) {
    case START:
    case SPARE: return start_instance(message);
    case ASSIGN: return assign_instance(message, message->call);
    case STOP: return stop_instance(message->id, message->grace_ms, message->call);
    case FREEZE: return freeze_instance(message->id, true, message->call);
    case THAW: return freeze_instance(message->id, false, message->call);
    case BACKGROUND: return demote_instance(message->id, true, message->call);
    case FOREGROUND: return demote_instance(message->id, false, message->call);
    case EXEC: return exec_instance(message, message->call);
    default: return say_failed(message->call, "that is not for the owner to say");
  }
}

// Nobody is there to be told anything, and nobody takes its place.
static void lose_owner(void) {
  close(owner);
  owner = -1;
  begin_end();
}

static void hear_owner(void) {
  ssize_t length = recv(owner, in + in_length, sizeof in - in_length, MSG_DONTWAIT);
  if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (length <= 0) return lose_owner();
  if (is_ending) return; // read all the same: what waits to be read would wake the loop for ever
  in_length += (size_t)length;
  static struct message message;
  size_t used = 0, whole;
  while (!is_ending && (whole = message_length(in + used, in_length - used)) != 0 && whole <= in_length - used) {
    const char *wrong = parse_message(in + used, whole, &message);
    if (wrong == NULL) obey(&message);
    else say_failed(message.call, wrong);
    used += whole;
  }
  if (message_length(in + used, in_length - used) > MESSAGE_MAX) {
    report("the data process broke the protocol");
    return begin_end();
  }
  memmove(in, in + used, in_length - used);
  in_length -= used;
  explicit_bzero(in + in_length, used); // tokens of instances
}

void serve_owner(void) {
  flush();
  if (owner >= 0) hear_owner();
}

int64_t strangers_due(int64_t now) {
  if (rests_until != 0 && rests_until <= now) {
    rests_until = 0;
    watch(listener, FROM_LISTENER, 0, EPOLLIN);
  }
  int64_t next = rests_until != 0 ? rests_until : INT64_MAX;
  for (int at = 0; at < STRANGERS; at++) {
    if (strangers[at].socket >= 0 && strangers[at].until <= now) close_stranger(at);
    if (strangers[at].socket >= 0 && strangers[at].until < next) next = strangers[at].until;
  }
  return next;
}
