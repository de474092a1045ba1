// What works here, found out by doing it: a throw-away instance in each tier looks around and tries what must fail, and
// a second one in tier strong runs into its limits. Prints key=value lines; a tier is `ok` or says what was wrong.
#define _GNU_SOURCE
#include "probe.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { wait_ms = 10 * 1000, still_ms = 15, output_max = 4096 };
enum { hurried_mb = 64 * 1024 }; // a trial's share of the processors: by its own memory it would not come to its end on a busy machine
enum { freeze_tries_ms = trial_ms / 2 }; // the rest is for ticking again


static char output[output_max];

struct trial { pid_t pid; int control, from; char id[ID_LENGTH + 1]; bool out_of_memory; };

// What came within `limit_ms`; nothing when it was still.
static size_t drain(int from, int limit_ms) {
  struct pollfd source = {from, POLLIN, 0};
  char bytes[512];
  ssize_t length = poll(&source, 1, limit_ms) == 1 ? read(from, bytes, sizeof bytes) : 0;
  return length > 0 ? (size_t)length : 0;
}

// Waits for one message of the first process; MAP_ME is answered on the way. Writes a sentence into `why` when it broke.
static char hear_trial(struct trial *trial, const struct place *place, char *why, size_t size) {
  struct pollfd source = {trial->control, POLLIN, 0};
  char text[256];
  while (poll(&source, 1, wait_ms) == 1) {
    ssize_t length = recv(trial->control, text, sizeof text - 1, 0);
    if (length <= 0) break;
    text[length] = 0;
    struct ending ending;
    if (text[0] == ENDED && length == sizeof ending) trial->out_of_memory = ((struct ending *)memcpy(&ending, text, sizeof ending))->out_of_memory;
    if (text[0] == BROKEN) snprintf(why, size, "%s", text + 1);
    if (text[0] != MAP_ME) return text[0];
    char go = GO;
    if (!instance_map(place->tier, trial->pid, place->first_uid - 1) || send(trial->control, &go, 1, MSG_NOSIGNAL) != 1) break;
  }
  snprintf(why, size, "cannot give it a user of its own");
  return BROKEN;
}

static bool begin_trial(struct trial *trial, struct place *place, char *why, size_t size) {
  static struct start start;
  int pair[2], out[2], pidfd;
  char path[128];
  snprintf(trial->id, sizeof trial->id, "c-%08x-%020x", (unsigned)getpid(), (unsigned)place->pids);
  snprintf(path, sizeof path, "%s/i/%s", directory, trial->id);
  mkdir(path, 0755);
  snprintf(path, sizeof path, "%s/code", directory);
  start = (struct start){.id = trial->id, .code = path, .memory_mb = place->inside == exceed ? little_memory_mb : 128};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0 || pipe2(out, O_CLOEXEC) != 0) return false;
  trial->pid = instance_clone(place->tier, &pidfd);
  if (trial->pid == 0) instance_run(&start, place, (struct handles){pair[0], open("/dev/null", O_RDONLY | O_CLOEXEC), out[1], -1, place->first_uid == 0 ? 0 : place->first_uid - 1});
  close(pair[0]);
  close(out[1]);
  trial->control = pair[1];
  trial->from = out[0];
  if (trial->pid < 0) snprintf(why, size, "cannot make a process with namespaces: %s", strerror(errno));
  else close(pidfd);
  return trial->pid > 0 && hear_trial(trial, place, why, size) == RUNNING;
}

static void end_trial(struct trial *trial, const struct place *place) {
  char word = KILL;
  if (send(trial->control, &word, 1, MSG_NOSIGNAL) < 0) errno = 0; // it has ended by itself
  if (trial->pid > 0) waitpid(trial->pid, NULL, 0);
  close(trial->control);
  close(trial->from);
  cgroups_remove(&place->groups, trial->id);
}

// Reads all that it has to say.
static void read_output(struct trial *trial) {
  size_t used = 0;
  struct pollfd source = {trial->from, POLLIN, 0};
  for (ssize_t length; used < sizeof output - 1 && poll(&source, 1, wait_ms) == 1; used += (size_t)length)
    if ((length = read(trial->from, output + used, sizeof output - 1 - used)) <= 0) break;
  output[used] = 0;
}

static void print_lines(const char *tier, char *why, size_t size) {
  for (char *line = strtok(output, "\n"); line != NULL; line = strtok(NULL, "\n")) {
    char *equals = strchr(line, '=');
    if (equals == NULL) continue;
    printf("%s.%s\n", tier, line);
    if (strcmp(equals, "=yes") != 0 && why[0] == 0) snprintf(why, size, "the sandbox does not hold what it promises: %.*s", (int)(equals - line), line);
  }
}

static void try_limits(struct place *place, const char *name, char *why, size_t size) {
  struct trial trial = {.control = -1};
  char freeze = FREEZE_ALL, thaw = THAW_ALL, stop = TERMINATE;
  place->inside = exceed;
  is_counted = place->tier == TIER_STRONG; // else the number is that of the tier, too many for a trial
  place->pids = few_processes;
  if (begin_trial(&trial, place, why, size)) {
    char line[64] = "";
    ssize_t length = read(trial.from, line, sizeof line - 1);
    bool processes = length > 0 && strstr(line, "processes=yes") != NULL;
    bool is_still = drain(trial.from, wait_ms) > 0 && send(trial.control, &freeze, 1, MSG_NOSIGNAL) == 1;
    usleep(still_ms * 1000);
    // It ticks every millisecond: nothing for this long is standing still. A slow machine may take a while to get there.
    bool is_quiet = false;
    for (int64_t until = now_ms() + freeze_tries_ms; !is_quiet && now_ms() < until;) is_quiet = drain(trial.from, still_ms) == 0;
    is_still = is_still && is_quiet;
    bool goes_on = send(trial.control, &thaw, 1, MSG_NOSIGNAL) == 1 && drain(trial.from, wait_ms) > 0;
    bool ended = send(trial.control, &stop, 1, MSG_NOSIGNAL) == 1 && hear_trial(&trial, place, line, sizeof line) == ENDED;
    uint64_t peak;
    bool memory = trial.out_of_memory;
    cgroups_outcome(&place->groups, trial.id, &peak, &memory);
    snprintf(output, sizeof output, "freeze=%s\nlimit-memory=%s\n", is_still && goes_on ? "yes" : "no", ended && memory ? "yes" : "no");
    print_lines(name, why, size);
    snprintf(output, sizeof output, "limit-processes=%s\n", processes ? "yes" : "no");
    if (!is_counted) output[0] = 0;
    print_lines(name, why, size);
  }
  end_trial(&trial, place);
}

static void try_tier(enum tier tier, const char *name) {
  struct place place = {.tier = tier, .inside = look_around, .pids = PROCESSES_MAX, .is_root = geteuid() == 0, .owner = geteuid(), .owner_group = getegid(), .first_uid = find_first_uid()};
  struct trial trial = {.control = -1};
  char why[256] = "";
  place.groups.lock = -1;
  snprintf(place.run_dir, sizeof place.run_dir, "%s", directory);
  if (tier == TIER_RESTRICTED) place.inside = look_around_restricted;
  if (tier == TIER_STRONG && !place.is_root) snprintf(why, sizeof why, "it needs root");
  else if (has_namespaces(tier) && place.is_root && place.first_uid == 0) snprintf(why, sizeof why, "root here may not become another user");
  else if (tier == TIER_RESTRICTED && landlock_version() < (place.first_uid == 0 ? 6 : 1)) snprintf(why, sizeof why, place.first_uid == 0 ? "an ordinary user needs Landlock 6 for it (Linux 6.12)" : "it needs Landlock (Linux 5.13)");
  else if (tier == TIER_STRONG && !cgroups_open(&place.groups, strrchr(directory, '/') + 1)) snprintf(why, sizeof why, "%s", cgroups_why);
  else {
    place.groups.weight_mb = hurried_mb;
    if (begin_trial(&trial, &place, why, sizeof why)) {
      read_output(&trial);
      if (strstr(output, "no-raw-sockets") == NULL) snprintf(why, sizeof why, "it ended while it looked around");
      print_lines(name, why, sizeof why);
    }
    end_trial(&trial, &place);
    if (tier != TIER_USER && why[0] == 0) try_limits(&place, name, why, sizeof why);
  }
  if (tier == TIER_STRONG) printf("cgroups=%d\n", place.groups.version);
  cgroups_close(&place.groups);
  printf("%s=%s\n", name, why[0] == 0 ? "ok" : why);
}

int probe(void) {
  char path[128];
  signal(SIGPIPE, SIG_IGN);
  setvbuf(stdout, NULL, _IOLBF, 0);
  strcpy(directory, "/tmp/yunmen-probe-XXXXXX");
  if (mkdtemp(directory) == NULL) return 1;
  chmod(directory, 0711);
  snprintf(path, sizeof path, "%s/canary", directory);
  close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  for (int at = 0; at < 4; at++) {
    snprintf(path, sizeof path, "%s/%s", directory, (const char *[]){"i", "t", "root", "code"}[at]);
    mkdir(path, 0755);
  }
  struct place own = {.owner = geteuid(), .owner_group = getegid()};
  if (allow_directory(path, &own) != NULL) return 1;
  outside.sun_family = AF_UNIX;
  outside_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)snprintf(outside.sun_path + 1, 64, "yunmen-probe-%d", getpid()));
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener >= 0 && bind(listener, (struct sockaddr *)&outside, outside_length) == 0) listen(listener, 4);
  printf("landlock=%d\n", landlock_version());
  try_tier(TIER_STRONG, "strong");
  try_tier(TIER_USER, "user");
  try_tier(TIER_RESTRICTED, "restricted");
  if (listener >= 0) close(listener);
  remove_tree(directory, now_ms() + 1000);
  return 0;
}
