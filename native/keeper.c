// Keeps one session in a running instance: starts its program, carries bytes between it and the session's socket, and ends
// what is left of it. A process of the instance, with the rights of its first process; forked by exec.c. It reads only what it
// has room for: who does not take output stops the program, not this.
#define _GNU_SOURCE
#include "exec.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
  LATE_MAX = 2 * 1024 * 1024, // more than any pipe holds
  PART_MS = 2000,
};
static int connection, ends[3]; // of the program: its input, output, errors; -1: closed. With a terminal the first two are it
static bool has_terminal;
static pid_t program;
static struct { size_t from, to; uint8_t bytes[FRAME_HEAD + CHUNK_MAX]; } in, out;

static void close_end(int at) {
  if (has_terminal && at != TO_INPUT) ends[at] = -1; // it is the same descriptor
  if (ends[at] >= 0) close(ends[at]);
  ends[at] = -1;
}

static size_t write_head(uint8_t *bytes, enum channel channel, size_t length) {
  bytes[0] = (uint8_t)channel;
  write_u32(bytes + 1, (uint32_t)length);
  return FRAME_HEAD + length;
}

static void put(enum channel channel, const void *payload, size_t length) { // only when nothing waits to be sent
  memcpy(out.bytes + FRAME_HEAD, payload, length);
  out.from = 0;
  out.to = write_head(out.bytes, channel, length);
}

void exec_refuse(int socket, const char *why) {
  uint8_t frame[FRAME_HEAD + 256];
  size_t length = strnlen(why, 256);
  memcpy(frame + FRAME_HEAD, why, length);
  size_t size = write_head(frame, WRONG, length);
  if (send(socket, frame, size, MSG_NOSIGNAL) < 0) return; // nobody is there to be told
}

// -- the program's side

static void hold_no_more(const struct session *session) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};
  const struct place *place = session->place;
  if (place->tier == TIER_NONE && place->owner != geteuid()) become(place->owner, place->owner_group, 0);
  if (place->tier != TIER_RESTRICTED) return; // the first process has given up all already
  if (session->uid != 0) become(session->uid, session->uid, 0);
  if (syscall(SYS_capset, &header, none) != 0) give_up("cannot drop", "capabilities");
}

// Whoever it is that has started this: when that one has gone meanwhile, nobody is told of its end, nor it of theirs.
static void die_with(pid_t keeper) {
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (getppid() != keeper) _exit(125);
}

static _Noreturn void run_command(const struct session *session, const int *given, int started, pid_t keeper) {
  const struct place *place = session->place;
  const struct exec *exec = session->exec;
  sigset_t none;
  sigemptyset(&none);
  tell_failures_to(started);
  die_with(keeper);
  setsid();
  if (has_terminal && ioctl(given[0], TIOCSCTTY, 0) != 0) give_up("cannot take", "the terminal");
  for (int at = 0; at < 3; at++)
    if (dup2(given[at], at) < 0) give_up("cannot set", "the first descriptors");
  if (started != 3 && dup3(started, 3, O_CLOEXEC) < 0) give_up("cannot set", "the fourth descriptor");
  tell_failures_to(3);
  close_between(4, ~0U);
  if (has_namespaces(place->tier)) drop_rights(place->tier);
  if (place->tier == TIER_RESTRICTED) restricted_drop(session->start, place, session->uid);
  if (place->tier == TIER_NONE) hold_no_more(session);
  die_with(keeper); // dropping rights forgets it
  if (chdir(exec->directory) != 0) give_up("cannot enter", exec->directory);
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL); // who started the server may ignore some
  sigprocmask(SIG_SETMASK, &none, NULL);
  environ = (char **)(uintptr_t)exec->env; // where PATH is looked for
  execvp(exec->argv[0], (char *const *)(uintptr_t)exec->argv);
  give_up("cannot run", exec->argv[0]);
}

// -- the keeper

static bool is_later(void) { return errno == EAGAIN || errno == EINTR; }

// Whose last word has been sent: who still writes must not find this end closed before that is read.
static _Noreturn void part(void) {
  struct pollfd way = {connection, POLLIN, 0};
  int64_t until = now_ms() + PART_MS;
  for (int64_t left; (left = until - now_ms()) > 0;) {
    int ready = poll(&way, 1, (int)left);
    if (ready < 0 && errno != EINTR) break;
    ssize_t length = ready > 0 ? recv(connection, in.bytes, sizeof in.bytes, MSG_DONTWAIT) : 1;
    if (length == 0 || (length < 0 && !is_later())) break;
  }
  _exit(0);
}

static _Noreturn void refuse(const char *what) {
  char why[256];
  snprintf(why, sizeof why, "%s: %s", what, strerror(errno));
  exec_refuse(connection, why);
  part();
}

static void open_streams(const struct session *session, int *given) {
  int pairs[3][2];
  if (has_terminal) {
    for (int at = 0; at < 3; at++) given[at] = session->terminal;
    ends[0] = ends[1] = session->master;
    ends[2] = -1;
    return;
  }
  for (int at = 0; at < 3; at++) {
    if (pipe2(pairs[at], O_CLOEXEC) != 0) refuse("cannot make a pipe");
    given[at] = pairs[at][at != 0];
    ends[at] = pairs[at][at == 0];
  }
}

// All that is of its session; what has made one of its own stays, and ends with the instance.
static void end_rest(void) {
  if (has_terminal) close_end(TO_INPUT); // hangs up
  DIR *list = opendir("/proc");
  for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;) {
    pid_t pid = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' ? (pid_t)atoi(entry->d_name) : 0;
    if (pid > 1 && getsid(pid) == program) kill(pid, SIGKILL);
  }
  if (list != NULL) closedir(list);
  kill(-program, SIGKILL);
}

static _Noreturn void leave(void) {
  end_rest();
  _exit(0);
}

static void start_program(const struct session *session) {
  int given[3], started[2];
  char why[256];
  pid_t own = getpid();
  open_streams(session, given);
  if (pipe2(started, O_CLOEXEC) != 0 || (program = fork()) < 0) refuse("cannot start a process");
  if (program == 0) run_command(session, given, started[1], own);
  // Passwords and keys, which are the command's alone.
  for (int at = 0; at < session->exec->argc; at++) explicit_bzero(session->exec->argv[at], strlen(session->exec->argv[at]));
  for (int at = 0; at < session->exec->envc; at++) explicit_bzero(session->exec->env[at], strlen(session->exec->env[at]));
  if (session->place->tier == TIER_RESTRICTED) { // a rule for it holds as long as the kernel remembers the directory
    snprintf(why, sizeof why, "/proc/%d", program);
    open(why, O_PATH | O_CLOEXEC);
  }
  hold_no_more(session);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); // who changes its user may be looked at, where the machine's settings say so
  close(started[1]);
  for (int at = 0; at < (has_terminal ? 1 : 3); at++) close(given[at]);
  ssize_t length = read(started[0], why, sizeof why - 1);
  close(started[0]);
  if (length > 0) {
    why[length] = 0;
    exec_refuse(connection, why + 1);
    part();
  }
  for (int at = 0; at < 3; at++)
    if (ends[at] >= 0) fcntl(ends[at], F_SETFL, O_NONBLOCK);
  put(IS_RUNNING, "", 0);
}

// False: its reader has gone, or will never take more.
static void feed_input(void) {
  ssize_t taken = ends[TO_INPUT] < 0 ? (ssize_t)(in.to - in.from) : write(ends[TO_INPUT], in.bytes + in.from, in.to - in.from);
  if (taken < 0 && is_later()) return;
  if (taken < 0) {
    taken = (ssize_t)(in.to - in.from); // nobody reads it any more
    if (!has_terminal) close_end(TO_INPUT);
  }
  in.from += (size_t)taken;
  if (in.from == in.to) in.from = in.to = 0;
}

static void resize(const uint8_t *payload) {
  struct winsize size = {.ws_row = (unsigned short)(payload[0] << 8 | payload[1]), .ws_col = (unsigned short)(payload[2] << 8 | payload[3])};
  if (has_terminal && ends[TO_INPUT] >= 0) ioctl(ends[TO_INPUT], TIOCSWINSZ, &size);
}

// Reads what is missing of one frame, and no byte of the next.
static void hear_connection(void) {
  size_t whole = in.to < FRAME_HEAD ? FRAME_HEAD : FRAME_HEAD + read_u32(in.bytes + 1);
  ssize_t length = recv(connection, in.bytes + in.to, whole - in.to, MSG_DONTWAIT);
  if (length < 0 && is_later()) return;
  if (length <= 0) leave();
  in.to += (size_t)length;
  if (in.to < FRAME_HEAD) return;
  whole = FRAME_HEAD + read_u32(in.bytes + 1);
  if (whole > sizeof in.bytes) leave(); // it is not what it was
  if (in.to < whole) return;
  if (in.bytes[0] == RESIZE && whole == FRAME_HEAD + 4) resize(in.bytes + FRAME_HEAD);
  if (in.bytes[0] == TO_INPUT && whole == FRAME_HEAD && !has_terminal) close_end(TO_INPUT);
  in.from = FRAME_HEAD;
  if (in.bytes[0] != TO_INPUT || whole == FRAME_HEAD) in.from = in.to = 0;
}

static void take_output(int at) {
  ssize_t length = read(ends[at], out.bytes + FRAME_HEAD, CHUNK_MAX);
  if (length < 0 && is_later()) return;
  if (length <= 0) { // a terminal says so when nobody has it open
    if (has_terminal) ends[at] = -1;
    else close_end(at);
    return;
  }
  out.from = 0;
  out.to = write_head(out.bytes, (enum channel)at, (size_t)length);
}

// Both in turn: who never pauses must not keep the other's from being told.
static void take_turns(bool has_output, bool has_errors) {
  static int turn = FROM_OUTPUT;
  for (int tries = 0; out.to == 0 && tries < 2; tries++) {
    int at = turn;
    turn = FROM_OUTPUT + FROM_ERRORS - at;
    if ((at == FROM_OUTPUT ? has_output : has_errors) && ends[at] >= 0) take_output(at);
  }
}

static void send_out(void) {
  ssize_t sent = send(connection, out.bytes + out.from, out.to - out.from, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && is_later()) return;
  if (sent < 0) leave();
  out.from += (size_t)sent;
  if (out.from == out.to) out.from = out.to = 0;
}

static bool has_payload(void) { return in.from > 0; }

// It stays as it is until the end, so that nobody else can get its number meanwhile.
static bool look_at_program(uint8_t over[2]) {
  siginfo_t how = {0};
  if (waitid(P_PID, (id_t)program, &how, WEXITED | WNOHANG | WNOWAIT) != 0 || how.si_pid != program) return false;
  over[0] = how.si_code != CLD_EXITED;
  over[1] = (uint8_t)how.si_status;
  return true;
}

// What the program had written when it ended is told before its end is; others may write on for ever.
static void finish(const uint8_t over[2]) {
  static size_t late;
  if (late < LATE_MAX) take_turns(true, true);
  late += out.to;
  if (out.to > 0) return;
  put(IS_OVER, over, 2);
  struct pollfd way = {connection, POLLOUT, 0};
  while (out.to > 0 && (poll(&way, 1, -1) >= 0 || errno == EINTR)) send_out();
  end_rest();
  part();
}

static _Noreturn void attend_session(int children) {
  uint8_t over[2];
  for (bool has_ended = false;;) {
    if (has_ended && out.to == 0) finish(over);
    bool takes = out.to == 0 && !has_ended;
    struct pollfd sources[5] = {
      {connection, (short)((has_payload() ? 0 : POLLIN) | (out.to > 0 ? POLLOUT : 0)), 0},
      {has_payload() ? ends[TO_INPUT] : -1, POLLOUT, 0},
      {takes ? ends[FROM_OUTPUT] : -1, POLLIN, 0},
      {takes ? ends[FROM_ERRORS] : -1, POLLIN, 0},
      {has_ended ? -1 : children, POLLIN, 0},
    };
    if (poll(sources, 5, has_payload() && ends[TO_INPUT] < 0 ? 0 : -1) < 0 && errno != EINTR) leave();
    if (out.to > 0 && (sources[0].revents & (POLLOUT | POLLERR | POLLHUP)) != 0) send_out();
    if (has_payload()) {
      if (sources[1].revents != 0 || ends[TO_INPUT] < 0) feed_input();
      if ((sources[0].revents & (POLLERR | POLLHUP)) != 0 && has_payload()) leave();
    } else if ((sources[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) hear_connection();
    take_turns(sources[1 + FROM_OUTPUT].revents != 0, sources[1 + FROM_ERRORS].revents != 0);
    struct signalfd_siginfo told;
    while (read(children, &told, sizeof told) > 0) {}
    has_ended = has_ended || look_at_program(over);
  }
}

static void close_all_but(const int *kept, int count) {
  for (int file = 0; file < 3; file++) close(file);
  unsigned from = 3;
  for (int round = 0; round < count; round++) {
    unsigned next = ~0U;
    for (int at = 0; at < count; at++)
      if (kept[at] >= (int)from && (unsigned)kept[at] < next) next = (unsigned)kept[at];
    if (next == ~0U) break;
    if (next > from) close_between(from, next - 1);
    from = next + 1;
  }
  close_between(from, ~0U);
}

_Noreturn void keep_session(struct session session) {
  sigset_t child;
  prctl(PR_SET_NAME, "sandd-exec", 0, 0, 0);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (session.members >= 0 && write(session.members, "0", 1) != 1) {
    exec_refuse(session.socket, "cannot join the freezer");
    _exit(0);
  }
  // The first process has nothing at 0 to 2, so what it was handed is there.
  int *given[] = {&session.socket, &session.master, &session.terminal};
  for (int at = 0; at < 3; at++)
    if (*given[at] >= 0) *given[at] = fcntl(*given[at], F_DUPFD_CLOEXEC, 3);
  close_all_but((int[]){session.socket, session.master, session.terminal}, 3);
  for (int file = 0; file < 3; file++) open("/dev/null", O_RDWR); // so that no end of the program's is one of them
  connection = session.socket;
  has_terminal = session.exec->has_terminal;
  tell_failures_to(-1); // its own way is `refuse`
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_SETMASK, &child, NULL);
  int children = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  if (children < 0) refuse("cannot watch its program");
  setsid();
  start_program(&session);
  attend_session(children);
}
