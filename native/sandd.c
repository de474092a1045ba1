// sandd: starts, ends and counts the instances of one server, for one data process, over one socket (README.md).
// One thread, one loop; everything bounded; nothing is read that is not one of the words of messages.h.
#define _GNU_SOURCE
#include "server.h"
#include "network.h"
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
  PARENT = 3,    // the descriptor whose other end our starter holds
  END_MS = 3000, // for all instances, at our own end
};

struct place place;
bool is_ending;
static char token[TOKEN_MAX + 1];
static enum network networks;
static struct policy policy;
static int events, signals;

void watch(int descriptor, enum source source, int index, uint32_t what) {
  struct epoll_event event = {.events = what, .data.u64 = (uint64_t)source << 32 | (uint32_t)index};
  if (epoll_ctl(events, EPOLL_CTL_ADD, descriptor, &event) != 0 && errno == EEXIST) epoll_ctl(events, EPOLL_CTL_MOD, descriptor, &event);
}

void unwatch(int descriptor) {
  epoll_ctl(events, EPOLL_CTL_DEL, descriptor, NULL);
}

__attribute__((format(printf, 1, 2))) void report(const char *form, ...) {
  va_list values;
  va_start(values, form);
  vfprintf(stderr, form, values);
  va_end(values);
  fputc('\n', stderr);
}

// -- what our starter says, on descriptor 3

static uint8_t in[4096];
static size_t in_length;
static struct message message;

// What it is answered: NULL for done. False when it does not take that.
static bool answer_parent(uint32_t call, const char *wrong) {
  uint8_t answer[9 + 2 + 512] = {0};
  size_t length = wrong == NULL ? 0 : strnlen(wrong, 511), size = wrong == NULL ? 13 : 11 + length;
  write_u32(answer, (uint32_t)size - 4);
  answer[4] = wrong == NULL ? DONE : FAILED;
  write_u32(answer + 5, call);
  if (wrong == NULL) write_u32(answer + 9, shared_group(&place));
  else {
    answer[9] = (uint8_t)(length >> 8);
    answer[10] = (uint8_t)length;
    memcpy(answer + 11, wrong, length);
  }
  return send(PARENT, answer, size, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size;
}

void want_keeper(void) {
  uint8_t wanted[9] = {0, 0, 0, 5, WANTED};
  if (send(PARENT, wanted, sizeof wanted, MSG_NOSIGNAL | MSG_DONTWAIT) != sizeof wanted) report("nobody can be asked to keep pasta: %s", strerror(errno));
}

static _Noreturn __attribute__((format(printf, 1, 2))) void refuse_to_start(const char *form, ...) {
  char why[512];
  va_list values;
  va_start(values, form);
  vsnprintf(why, sizeof why, form, values);
  va_end(values);
  _exit(answer_parent(0, why) ? 2 : 3);
}

// Takes the next message apart if it is whole. False when there is none; `wrong` then says whether there will never be.
static bool take_message(const char **wrong) {
  static size_t used;
  memmove(in, in + used, in_length - used);
  in_length -= used;
  used = 0;
  size_t whole = message_length(in, in_length);
  *wrong = whole > sizeof in ? "the message is too long" : NULL;
  if (whole == 0 || whole > in_length) return false;
  *wrong = parse_message(in, whole, &message);
  used = whole;
  return true;
}

void begin_end(void) {
  if (is_ending) return;
  is_ending = true;
  end_instances();
}

static void configure(void) {
  struct pollfd parent = {PARENT, POLLIN, 0};
  const char *wrong;
  while (!take_message(&wrong)) {
    if (wrong != NULL || poll(&parent, 1, 10000) != 1) _exit(2);
    ssize_t more = read(PARENT, in + in_length, sizeof in - in_length);
    if (more <= 0) _exit(2);
    in_length += (size_t)more;
  }
  if (wrong == NULL && message.word != CONFIGURE) wrong = "configure comes first";
  if (wrong != NULL) refuse_to_start("%s", wrong);
  place.tier = message.tier;
  networks = message.networks;
  policy = message.policy;
  place.is_root = geteuid() == 0;
  place.pids = PROCESSES_MAX;
  place.owner = message.owner == NOBODY_ELSE ? geteuid() : message.owner;
  place.owner_group = message.group == NOBODY_ELSE ? getegid() : message.group;
  place.first_uid = find_first_uid();
  snprintf(place.run_dir, sizeof place.run_dir, "%s", message.run_dir);
  snprintf(token, sizeof token, "%s", message.token);
  explicit_bzero((char *)(uintptr_t)message.token, strlen(message.token));
  if (place.tier == TIER_STRONG && !place.is_root) refuse_to_start("the tier 'strong' needs root");
  if (has_namespaces(place.tier) && place.is_root && place.first_uid == 0) refuse_to_start("root here may not become another user");
  if (place.owner != geteuid() && !place.is_root) refuse_to_start("only root can serve another user");
}

static void make_directory(const char *name, uid_t uid, gid_t gid, mode_t mode) {
  char path[128];
  snprintf(path, sizeof path, "%s/%s", place.run_dir, name);
  if (mkdir(path, mode) != 0 && errno != EEXIST) refuse_to_start("cannot make %s: %s", path, strerror(errno));
  if (lchown(path, uid, gid) != 0 || chmod(path, mode) != 0) refuse_to_start("cannot give %s away: %s", path, strerror(errno));
}

// The run directory stays ours alone to write, so that nobody can put something else where we go by name.
static void make_places(void) {
  bool is_entered = place.owner != geteuid() || (place.tier == TIER_RESTRICTED && place.first_uid != 0);
  umask(077);
  if (is_entered && chmod(place.run_dir, 0711) != 0) refuse_to_start("cannot open %s: %s", place.run_dir, strerror(errno));
  make_directory("i", place.owner, place.owner_group, is_entered ? 0711 : 0700);
  make_directory("root", geteuid(), getegid(), 0700);
  if (place.tier == TIER_RESTRICTED) make_directory("t", geteuid(), getegid(), 0711);
  // What killed servers left, whatever their tier and network were.
  if (place.is_root) {
    cgroups_clean();
    uplink_clean();
  }
  if (place.tier == TIER_STRONG) {
    if (!cgroups_open(&place.groups, strrchr(place.run_dir, '/') + 1)) refuse_to_start("%s", cgroups_why);
  }
  // Where a part of them is delegated to an ordinary user; else memory is watched.
  if (place.tier == TIER_USER && !place.is_root) {
    cgroups_clean();
    if (cgroups_open(&place.groups, strrchr(place.run_dir, '/') + 1) && place.groups.version != 2) cgroups_close(&place.groups);
  }
}

static void open_events(void) {
  sigset_t handled;
  sigemptyset(&handled);
  for (size_t at = 0; at < 4; at++) sigaddset(&handled, (int[]){SIGCHLD, SIGTERM, SIGINT, SIGHUP}[at]);
  sigprocmask(SIG_BLOCK, &handled, NULL);
  signal(SIGPIPE, SIG_IGN);
  signals = signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
  events = epoll_create1(EPOLL_CLOEXEC);
  if (signals < 0 || events < 0) refuse_to_start("cannot watch anything: %s", strerror(errno));
  watch(PARENT, FROM_PARENT, 0, EPOLLIN);
  watch(signals, FROM_SIGNALS, 0, EPOLLIN);
  const char *wrong = owner_listen(token);
  explicit_bzero(token, sizeof token); // owner.c has it now
  if (wrong != NULL) refuse_to_start("cannot listen in %s: %s", place.run_dir, wrong);
}

// Does what is due; how long until the next is, -1 for never.
static int keep_time(void) {
  int64_t now = now_ms(), next = strangers_due(now), other = instances_due(now), way = is_ending ? INT64_MAX : pasta_due(now), trial = is_ending ? INT64_MAX : trial_due(now);
  if (other < next) next = other;
  if (way < next) next = way;
  if (trial < next) next = trial;
  return next == INT64_MAX ? -1 : next - now > 60000 ? 60000 : next < now ? 0 : (int)(next - now);
}

static void hear_parent(void) {
  const char *wrong;
  ssize_t length = recv(PARENT, in + in_length, sizeof in - in_length, MSG_DONTWAIT);
  if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (length > 0) in_length += (size_t)length;
  bool is_heard = length > 0;
  while (is_heard && take_message(&wrong)) {
    if (wrong == NULL) wrong = message.word == ALLOW ? allow_directory(message.directory, &place) : "that is not for the starter to say";
    is_heard = answer_parent(message.call, wrong);
    wrong = NULL;
  }
  if (is_heard && wrong == NULL) return;
  unwatch(PARENT); // it has gone, or is not what it was
  begin_end();
}

static void handle(enum source source, int index) {
  struct signalfd_siginfo told;
  switch (source) {
    case FROM_PARENT: hear_parent(); break;
    case FROM_SIGNALS:
      while (read(signals, &told, sizeof told) == sizeof told)
        if (told.ssi_signo != SIGCHLD && told.ssi_signo != SIGINT) begin_end();
      reap();
      break;
    case FROM_LISTENER: greet(); break;
    case FROM_OWNER: serve_owner(); break;
    case FROM_STRANGER: prove(index); break;
    case FROM_INSTANCE: hear_instance(index); break;
    case FROM_HOST: network_follow_host(); break;
    case FROM_PASTA: pasta_hear(); break;
  }
}

// `no_network`: why instances share the host's network; NULL: they have their own.
static void say_ready(const char *no_network) {
  uint8_t ready[9 + 4 + 1 + 2 + 160] = {[4] = DONE, [13] = no_network == NULL};
  const char *text = no_network == NULL ? network_carrier() : no_network;
  size_t length = strnlen(text, 160);
  write_u32(ready + 9, shared_group(&place));
  ready[15] = (uint8_t)length;
  memcpy(ready + 16, text, length);
  write_u32(ready, (uint32_t)(12 + length));
  if (write(PARENT, ready, 16 + length) != (ssize_t)(16 + length)) _exit(2);
}

static int serve(void) {
  struct rlimit files;
  // Who started the server may ignore some: the ends of instances would not be told, and programs would not hear theirs.
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  configure();
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  if (!has_namespaces(place.tier)) prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  gid_t groups[1] = {shared_group(&place)};
  if (place.first_uid != 0 && setgroups(groups[0] != 0, groups) != 0) refuse_to_start("cannot leave groups: %s", strerror(errno));
  make_places();
  open_events();
  say_ready(networks != NETWORK_HOST ? network_begin(&policy, networks == NETWORK_OPEN) : "they were not asked for");
  if (network_host_changes() >= 0) watch(network_host_changes(), FROM_HOST, 0, EPOLLIN);
  if (pasta_keeper() >= 0) watch(pasta_keeper(), FROM_PASTA, 0, EPOLLIN);
  int64_t give_up_at = 0;
  while (!is_ending || instances_living() > 0) {
    struct epoll_event happened[64];
    int timeout = keep_time();
    bool makes_ready = !is_ending && network_wants_more();
    if (makes_ready) timeout = 0;
    if (is_ending) {
      if (give_up_at == 0) give_up_at = now_ms() + END_MS;
      if (now_ms() > give_up_at) break;
      if (timeout < 0 || timeout > 50) timeout = 50;
    }
    int count = epoll_wait(events, happened, 64, timeout);
    if (count == 0 && makes_ready) network_make_ready();
    for (int at = 0; at < count; at++) handle((enum source)(happened[at].data.u64 >> 32), (int)(uint32_t)happened[at].data.u64);
  }
  char path[128];
  for (int at = 0; at < 4; at++) {
    snprintf(path, sizeof path, "%s/%s", place.run_dir, (const char *[]){"i", "t", "root", "launcher.sock"}[at]);
    remove_tree(path, now_ms() + END_MS);
  }
  rmdir(place.run_dir); // nobody else may be left to do it; whoever is there finds it gone
  cgroups_close(&place.groups);
  network_end();
  return instances_living() > 0;
}

int main(int argc, char **argv) {
  const char *verb = argc >= 2 ? argv[1] : "";
  if (argc == 3 && strcmp(verb, "lend") == 0) return lend(argv[2]);
  if (argc == 3 && strcmp(verb, "keep") == 0) return keep(argv[2]);
  if (argc > 2 && strcmp(verb, "become") == 0) return run_as(argc - 2, argv + 2);
  if (argc != 2) verb = "";
  if (strcmp(verb, "serve") == 0) return serve();
  if (strcmp(verb, "probe") == 0) return probe();
  if (strcmp(verb, "probe-network") == 0) return probe_network();
  if (strcmp(verb, "clean") == 0) {
    printf("removed=%d\n", cgroups_clean() + uplink_clean());
    return 0;
  }
  fputs("usage: sandd serve | probe | probe-network | clean | lend <run directory> | keep <run directory> | become …\n", stderr);
  return 2;
}
