// sandd: starts, ends and counts the instances of one server, for one data process, over one socket (README.md).
// One thread, one loop; everything bounded; nothing is read that is not one of the words of messages.h.
#define _GNU_SOURCE
#include "sandbox.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <dirent.h>
#include <time.h>
#include <unistd.h>

enum {
  PARENT = 3,              // the descriptor whose other end our starter holds
  STRANGERS = 4,           // connections that have not proved themselves
  STRANGER_BYTES = 256,
  PROOF_MS = 5000,
  WAITERS = 8,             // stops that wait for one instance
  OUT_MAX = 1024 * 1024,   // answers that the data process has not taken yet
  END_MS = 3000,           // for all instances, at our own end
};

struct instance {
  enum { FREE, STARTING, RUNS, ENDING } state;
  char id[ID_LENGTH + 1];
  pid_t pid;
  int pidfd, control;
  uint32_t start_call, waiters[WAITERS];
  int waiting;
  bool has_ending, is_broken;
  struct ending ending;
  char why[256];
  int64_t kill_at; // 0: never
};
static struct instance instances[INSTANCES_MAX];
static int living;

static struct place place;
static char token[TOKEN_MAX + 1];
static int events, listener = -1, owner = -1, signals;
static struct { int socket; size_t length; int64_t until; uint8_t bytes[STRANGER_BYTES]; } strangers[STRANGERS];
static uint8_t in[MESSAGE_MAX], out[OUT_MAX];
static size_t in_length, out_length;
static bool is_ending, is_orphan;

enum source { FROM_PARENT, FROM_SIGNALS, FROM_LISTENER, FROM_OWNER, FROM_STRANGER, FROM_INSTANCE };

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void watch(int descriptor, enum source source, int index, uint32_t what) {
  struct epoll_event event = {.events = what, .data.u64 = (uint64_t)source << 32 | (uint32_t)index};
  if (epoll_ctl(events, EPOLL_CTL_ADD, descriptor, &event) != 0 && errno == EEXIST) epoll_ctl(events, EPOLL_CTL_MOD, descriptor, &event);
}

static __attribute__((format(printf, 1, 2))) void report(const char *form, ...) {
  va_list values;
  va_start(values, form);
  vfprintf(stderr, form, values);
  va_end(values);
  fputc('\n', stderr);
}

static _Noreturn __attribute__((format(printf, 1, 2))) void refuse_to_start(const char *form, ...) {
  uint8_t answer[9 + 2 + 512] = {0};
  va_list values;
  va_start(values, form);
  int length = vsnprintf((char *)answer + 11, 512, form, values);
  va_end(values);
  if (length > 511) length = 511;
  write_u32(answer, 5 + 2 + (uint32_t)length);
  answer[4] = FAILED;
  answer[9] = (uint8_t)(length >> 8);
  answer[10] = (uint8_t)length;
  _exit(write(PARENT, answer, 11 + (size_t)length) < 0 ? 3 : 2);
}

// -- what we say

static void begin_end(void);

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

static void say(enum word word, uint32_t call, const void *fields, size_t length) {
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

static void say_failed(uint32_t call, const char *why) {
  uint8_t fields[2 + 512];
  size_t length = strnlen(why, 510);
  fields[0] = (uint8_t)(length >> 8);
  fields[1] = (uint8_t)length;
  memcpy(fields + 2, why, length);
  say(FAILED, call, fields, 2 + length);
}

// -- instances

static struct instance *find(const char *id) {
  for (int at = 0; at < INSTANCES_MAX; at++)
    if (instances[at].state != FREE && strcmp(instances[at].id, id) == 0) return &instances[at];
  return NULL;
}

static void tell(struct instance *instance, char word) {
  if (instance->control >= 0 && send(instance->control, &word, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EPIPE && errno != ECONNRESET)
    report("an instance does not listen: %s", strerror(errno));
}

static void kill_hard(struct instance *instance) {
  tell(instance, KILL);
  instance->state = instance->state == STARTING ? STARTING : ENDING;
  instance->kill_at = now_ms() + 2000; // if it cannot even hear that
}

// Takes the answers of an instance's first process. False when it has none (any more).
static bool hear(struct instance *instance) {
  char text[sizeof instance->why];
  ssize_t length = instance->control < 0 ? 0 : recv(instance->control, text, sizeof text - 1, MSG_DONTWAIT);
  if (length <= 0) return false;
  text[length] = 0;
  uint8_t pid[4];
  switch (text[0]) {
    case MAP_ME:
      if (instance_map(place.tier, instance->pid, FIRST_UID + (uid_t)(instance - instances))) tell(instance, GO);
      else {
        snprintf(instance->why, sizeof instance->why, "cannot give it a user of its own: %s", strerror(errno));
        instance->is_broken = true;
        kill_hard(instance);
      }
      break;
    case RUNNING:
      if (instance->state != STARTING) break;
      instance->state = RUNS;
      write_u32(pid, (uint32_t)instance->pid);
      say(DONE, instance->start_call, pid, sizeof pid);
      if (instance->waiting > 0) kill_hard(instance);
      break;
    case BROKEN:
      snprintf(instance->why, sizeof instance->why, "%s", text + 1);
      instance->is_broken = true;
      break;
    case ENDED:
      if (length == sizeof instance->ending) memcpy(&instance->ending, text, sizeof instance->ending);
      instance->has_ending = length == sizeof instance->ending;
      break;
    default: break;
  }
  return true;
}

// Its first process has been reaped, so nothing of it is left but what the kernel keeps for us.
static void forget(struct instance *instance, int status, const struct rusage *usage) {
  uint64_t peak_kb = (uint64_t)usage->ru_maxrss;
  bool out_of_memory = false;
  while (hear(instance)) {}
  cgroups_outcome(&place.groups, instance->id, &peak_kb, &out_of_memory);
  cgroups_remove(&place.groups, instance->id);
  close(instance->control);
  close(instance->pidfd);
  if (instance->state == STARTING) {
    say_failed(instance->start_call, instance->is_broken ? instance->why : "it ended before its program ran");
  } else {
    uint8_t note[ID_LENGTH + 1 + 3 + 4] = {0};
    // Without a word from it, it was killed itself.
    bool is_signal = instance->has_ending ? instance->ending.is_signal : WIFSIGNALED(status) || instance->state == ENDING;
    uint8_t value = instance->has_ending ? instance->ending.value : WIFSIGNALED(status) ? (uint8_t)WTERMSIG(status) : is_signal ? SIGKILL : (uint8_t)WEXITSTATUS(status);
    memcpy(note, instance->id, ID_LENGTH + 1);
    note[ID_LENGTH + 1] = is_signal;
    note[ID_LENGTH + 2] = value;
    note[ID_LENGTH + 3] = out_of_memory || (instance->has_ending && instance->ending.out_of_memory);
    write_u32(note + ID_LENGTH + 4, peak_kb > UINT32_MAX ? UINT32_MAX : (uint32_t)peak_kb);
    say(EXITED, 0, note, sizeof note);
  }
  for (int at = 0; at < instance->waiting; at++) say(DONE, instance->waiters[at], "", 0);
  memset(instance, 0, sizeof *instance);
  living--;
}

// Tier none: if the function killed its reaper, its processes have become our children.
static void end_strays(void) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
  FILE *children = fopen(path, "re");
  long pid;
  while (children != NULL && fscanf(children, "%ld", &pid) == 1) {
    bool is_known = false;
    for (int at = 0; at < INSTANCES_MAX && !is_known; at++) is_known = instances[at].state != FREE && instances[at].pid == pid;
    if (!is_known) kill((pid_t)pid, SIGKILL);
  }
  if (children != NULL) fclose(children);
}

static void reap(void) {
  struct rusage usage;
  int status;
  for (pid_t pid; (pid = wait4(-1, &status, WNOHANG, &usage)) > 0;)
    for (int at = 0; at < INSTANCES_MAX; at++)
      if (instances[at].state != FREE && instances[at].pid == pid) {
        forget(&instances[at], status, &usage);
        break;
      }
  if (place.tier == TIER_NONE) end_strays();
}

// The function's output is connected and its start line written before there is a process of it.
static const char *open_handles(const struct start *start, struct handles *child, int *own, int place_at) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  char path[PATH_LIMIT];
  int line[2] = {-1, -1}, pair[2] = {-1, -1};
  *child = (struct handles){-1, -1, -1};
  snprintf(address.sun_path, sizeof address.sun_path, "%s/i/%s/l.sock", place.run_dir, start->id);
  child->output = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (child->output < 0 || connect(child->output, (struct sockaddr *)&address, sizeof address) != 0) return "cannot connect its log socket";
  fcntl(child->output, F_SETFL, 0);
  if (pipe2(line, O_CLOEXEC) != 0) return "cannot make its start pipe";
  child->input = line[0];
  ssize_t written = write(line[1], start->start_line, strlen(start->start_line));
  close(line[1]);
  if (written != (ssize_t)strlen(start->start_line)) return "cannot write its start line";
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return "cannot make its control socket";
  child->control = pair[0];
  *own = pair[1];
  if (place.tier == TIER_NONE || !place.is_root) return NULL;
  // Its own user must reach the directory and the frame socket; what they are is looked at, not believed.
  uid_t uid = FIRST_UID + (uid_t)place_at;
  struct stat seen;
  snprintf(path, sizeof path, "%s/i/%s/f.sock", place.run_dir, start->id);
  int frames = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  bool is_given = frames >= 0 && fstat(frames, &seen) == 0 && S_ISSOCK(seen.st_mode) && fchownat(frames, "", uid, uid, AT_EMPTY_PATH) == 0;
  if (frames >= 0) close(frames);
  if (!is_given) return "cannot give it its frame socket";
  *strrchr(path, '/') = 0;
  int directory = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  is_given = directory >= 0 && fchmod(directory, 0711) == 0;
  if (directory >= 0) close(directory);
  return is_given ? NULL : "cannot open its directory to it";
}

static void close_handles(struct handles handles) {
  if (handles.control >= 0) close(handles.control);
  if (handles.input >= 0) close(handles.input);
  if (handles.output >= 0) close(handles.output);
}

static void start_instance(const struct start *start, uint32_t call) {
  int at = 0, own = -1, pidfd = -1;
  struct handles handles;
  if (find(start->id) != NULL) return say_failed(call, "the instance is there already");
  if (start->network != NETWORK_HOST) return say_failed(call, start->network == NETWORK_NONE ? "the network mode 'none' is not to be had here" : "the network mode 'open' is not to be had here");
  while (at < INSTANCES_MAX && instances[at].state != FREE) at++;
  if (at == INSTANCES_MAX) return say_failed(call, "there are too many instances");
  const char *wrong = open_handles(start, &handles, &own, at);
  pid_t pid = -1;
  if (wrong == NULL) {
    pid = instance_clone(place.tier, &pidfd);
    if (pid == 0) instance_run(start, &place, handles);
    if (pid < 0) wrong = "cannot make a process with namespaces";
  }
  int why = errno;
  close_handles(handles);
  if (wrong != NULL) {
    char text[256];
    snprintf(text, sizeof text, "%s: %s", wrong, strerror(why));
    if (own >= 0) close(own);
    return say_failed(call, text);
  }
  struct instance *instance = &instances[at];
  instance->state = STARTING;
  memcpy(instance->id, start->id, ID_LENGTH);
  instance->pid = pid;
  instance->pidfd = pidfd;
  instance->control = own;
  instance->start_call = call;
  living++;
  watch(own, FROM_INSTANCE, at, EPOLLIN);
}

static void stop_instance(const char *id, uint32_t grace_ms, uint32_t call) {
  struct instance *instance = find(id);
  if (instance == NULL) return say(DONE, call, "", 0);
  if (instance->waiting == WAITERS) return say_failed(call, "too many wait for its end");
  instance->waiters[instance->waiting++] = call;
  if (instance->state == ENDING || instance->state == STARTING) return; // STARTING: ended as soon as it runs
  if (grace_ms == 0) return kill_hard(instance);
  tell(instance, THAW_ALL);
  tell(instance, TERMINATE);
  int64_t at = now_ms() + grace_ms;
  if (instance->kill_at == 0 || at < instance->kill_at) instance->kill_at = at;
}

static void freeze_instance(const char *id, bool is_frozen, uint32_t call) {
  struct instance *instance = find(id);
  if (instance == NULL || instance->state != RUNS) return say_failed(call, "there is no such instance");
  tell(instance, is_frozen ? FREEZE_ALL : THAW_ALL);
  say(DONE, call, "", 0);
}

// -- who asks

static bool is_token(const char *given) { // looks at every byte, whatever the first ones are
  size_t length = strlen(token), given_length = strlen(given);
  volatile unsigned difference = given_length != length;
  for (size_t at = 0; at < length; at++) difference |= (unsigned)(token[at] ^ given[given_length == 0 ? 0 : at % given_length]);
  return difference == 0;
}

static void close_stranger(int index) {
  if (strangers[index].socket >= 0) close(strangers[index].socket);
  strangers[index].socket = -1;
}

static void greet(void) {
  int socket = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), index = 0;
  if (socket < 0) return;
  while (index < STRANGERS && strangers[index].socket >= 0) index++;
  if (index == STRANGERS) {
    close(socket);
    return;
  }
  strangers[index].socket = socket;
  strangers[index].length = 0;
  strangers[index].until = now_ms() + PROOF_MS;
  watch(socket, FROM_STRANGER, index, EPOLLIN);
}

// The first with the right token is the owner, and there is never another.
static void prove(int index) {
  size_t used = strangers[index].length;
  ssize_t length = recv(strangers[index].socket, strangers[index].bytes + used, STRANGER_BYTES - used, 0);
  if (length < 0 && errno == EAGAIN) return;
  if (length > 0) {
    used = strangers[index].length += (size_t)length;
    size_t whole = message_length(strangers[index].bytes, used);
    if (used < STRANGER_BYTES && (whole == 0 || (whole <= STRANGER_BYTES && used < whole))) return;
    struct message message;
    bool is_right = whole == used && parse_message(strangers[index].bytes, used, &message) == NULL && message.word == AUTHENTICATE;
    if (is_right && is_token(message.token) && owner < 0 && !is_ending) {
      owner = strangers[index].socket;
      strangers[index].socket = -1;
      uint8_t tier = (uint8_t)place.tier;
      say(DONE, message.call, &tier, 1);
      return;
    }
  }
  report("a connection to the launcher that did not prove itself was closed");
  close_stranger(index);
}

static void obey(struct message *message) {
  switch (message->word) {
    case START: return start_instance(&message->start, message->call);
    case STOP: return stop_instance(message->id, message->grace_ms, message->call);
    case FREEZE: return freeze_instance(message->id, true, message->call);
    case THAW: return freeze_instance(message->id, false, message->call);
    default: return say_failed(message->call, "that is not for the owner to say");
  }
}

static void listen_to_owner(void) {
  ssize_t length = recv(owner, in + in_length, sizeof in - in_length, MSG_DONTWAIT);
  if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (length <= 0) return begin_end();
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
}

// -- from start to end

static void begin_end(void) {
  if (is_ending) return;
  is_ending = true;
  for (int at = 0; at < INSTANCES_MAX; at++)
    if (instances[at].state != FREE) kill_hard(&instances[at]);
}

void remove_directory(const char *path, int depth) {
  DIR *list = depth < 0 ? NULL : opendir(path);
  for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;) {
    char below[PATH_LIMIT];
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (snprintf(below, sizeof below, "%s/%s", path, entry->d_name) >= (int)sizeof below) continue;
    if (unlink(below) != 0) remove_directory(below, depth - 1);
  }
  if (list != NULL) closedir(list);
  rmdir(path);
}

static void configure(void) {
  struct pollfd parent = {PARENT, POLLIN, 0};
  static struct message message;
  size_t length = 0, whole;
  while ((whole = message_length(in, length)) == 0 || whole > length) {
    if (whole > 4096 || poll(&parent, 1, 10000) != 1) _exit(2);
    ssize_t more = read(PARENT, in + length, 4096 - length);
    if (more <= 0) _exit(2);
    length += (size_t)more;
  }
  const char *wrong = parse_message(in, whole, &message);
  if (wrong == NULL && message.word != CONFIGURE) wrong = "configure comes first";
  if (wrong != NULL) refuse_to_start("%s", wrong);
  place.tier = message.tier;
  place.is_root = geteuid() == 0;
  place.pids = PROCESSES_MAX;
  snprintf(place.run_dir, sizeof place.run_dir, "%s", message.run_dir);
  snprintf(token, sizeof token, "%s", message.token);
  if (place.tier == TIER_STRONG && !place.is_root) refuse_to_start("the tier 'strong' needs root");
}

static void make_places(void) {
  char path[128];
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  umask(077);
  for (int at = 0; at < 2; at++) {
    snprintf(path, sizeof path, "%s/%s", place.run_dir, at == 0 ? "i" : "root");
    if (mkdir(path, 0700) != 0 && errno != EEXIST) refuse_to_start("cannot make %s: %s", path, strerror(errno));
  }
  if (place.tier == TIER_STRONG) {
    cgroups_clean();
    if (!cgroups_open(&place.groups, strrchr(place.run_dir, '/') + 1)) refuse_to_start("%s", cgroups_why);
  }
  snprintf(address.sun_path, sizeof address.sun_path, "%s/launcher.sock", place.run_dir);
  listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 8) != 0)
    refuse_to_start("cannot listen on %s: %s", address.sun_path, strerror(errno));
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
  for (int at = 0; at < STRANGERS; at++) strangers[at].socket = -1;
  watch(PARENT, FROM_PARENT, 0, EPOLLIN);
  watch(signals, FROM_SIGNALS, 0, EPOLLIN);
  watch(listener, FROM_LISTENER, 0, EPOLLIN);
}

// Does what is due; how long until the next is, -1 for never.
static int keep_time(void) {
  int64_t now = now_ms(), next = INT64_MAX;
  for (int at = 0; at < STRANGERS; at++) {
    if (strangers[at].socket >= 0 && strangers[at].until <= now) close_stranger(at);
    if (strangers[at].socket >= 0 && strangers[at].until < next) next = strangers[at].until;
  }
  for (int at = 0; at < INSTANCES_MAX && living > 0; at++) {
    struct instance *instance = &instances[at];
    if (instance->state == FREE || instance->kill_at == 0) continue;
    if (instance->kill_at <= now && instance->state == ENDING) {
      // It could not hear: nothing may be left frozen when it is killed.
      tell(instance, THAW_ALL);
      syscall(SYS_pidfd_send_signal, instance->pidfd, SIGKILL, NULL, 0);
      instance->kill_at = now + 2000;
    } else if (instance->kill_at <= now) kill_hard(instance);
    if (instance->kill_at < next) next = instance->kill_at;
  }
  return next == INT64_MAX ? -1 : next - now > 60000 ? 60000 : next < now ? 0 : (int)(next - now);
}

static void handle(enum source source, int index) {
  struct signalfd_siginfo told;
  char byte;
  switch (source) {
    case FROM_PARENT: // it says nothing more: this is its end
      if (recv(PARENT, &byte, 1, MSG_DONTWAIT) <= 0) {
        epoll_ctl(events, EPOLL_CTL_DEL, PARENT, NULL);
        is_orphan = true;
        begin_end();
      }
      break;
    case FROM_SIGNALS:
      while (read(signals, &told, sizeof told) == sizeof told)
        if (told.ssi_signo != SIGCHLD && told.ssi_signo != SIGINT) begin_end();
      reap();
      break;
    case FROM_LISTENER: greet(); break;
    case FROM_OWNER:
      flush();
      if (owner >= 0 && !is_ending) listen_to_owner();
      break;
    case FROM_STRANGER:
      if (strangers[index].socket >= 0) prove(index);
      break;
    case FROM_INSTANCE:
      if (instances[index].state != FREE && !hear(&instances[index])) epoll_ctl(events, EPOLL_CTL_DEL, instances[index].control, NULL);
      break;
  }
}

static int serve(void) {
  struct rlimit files;
  configure();
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  if (place.tier == TIER_NONE) prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  make_places();
  open_events();
  uint8_t ready[9] = {0, 0, 0, 5, DONE, 0, 0, 0, 0};
  if (write(PARENT, ready, sizeof ready) != sizeof ready) return 2;
  int64_t give_up_at = 0;
  while (!is_ending || living > 0) {
    struct epoll_event happened[64];
    int timeout = keep_time();
    if (is_ending) {
      if (give_up_at == 0) give_up_at = now_ms() + END_MS;
      if (now_ms() > give_up_at) break;
      if (timeout < 0 || timeout > 50) timeout = 50;
    }
    int count = epoll_wait(events, happened, 64, timeout);
    for (int at = 0; at < count; at++) handle((enum source)(happened[at].data.u64 >> 32), (int)(uint32_t)happened[at].data.u64);
  }
  char path[128];
  for (int at = 0; at < 3; at++) {
    snprintf(path, sizeof path, "%s/%s", place.run_dir, (const char *[]){"i", "root", "launcher.sock"}[at]);
    if (unlink(path) != 0) remove_directory(path, 2);
  }
  if (is_orphan) rmdir(place.run_dir);
  cgroups_close(&place.groups);
  return living > 0;
}

int main(int argc, char **argv) {
  const char *verb = argc == 2 ? argv[1] : "";
  if (strcmp(verb, "serve") == 0) return serve();
  if (strcmp(verb, "probe") == 0) return probe();
  if (strcmp(verb, "clean") == 0) {
    printf("removed=%d\n", cgroups_clean());
    return 0;
  }
  fputs("usage: sandd serve | probe | clean\n", stderr);
  return 2;
}
