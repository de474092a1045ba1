// Control groups, version 1 and 2: limits, the freezer, classes, peaks, and the remains of servers that were killed.
// A server's group is locked (flock) as long as the server lives, so that another can tell a dead one's. Those of its instances
// lie beside it, not in it: the kernel compares siblings, and an instance in the idle class has to lose against all that is there.
#define _GNU_SOURCE
#include "sandbox.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

char cgroups_why[256];
static const char *const names[CONTROLLERS] = {"memory", "pids", "cpu", "freezer"};
static const char prefix[] = "yunmen-";
static bool is_delegated; // the groups are in a part that is ours
static const char own_group[] = "/server"; // below the server's group, of processors only in version 1: the data process
enum {
  OWN_MB = 2048,     // what the data process counts like, when others count by their memory
  TURN_US = 20000,   // of a thread in the idle class, see set_turn
  PERIOD_US = 20000, // of limits of processors: the least of them, a twentieth, is the kernel's least quota then
};

// "<parent>/yunmen-<server>.<id>", where "<parent>/yunmen-<server>" is the server's own. No server has a dot in its name.
static void instance_group(const struct cgroups *groups, int each, const char *id, char directory[PATH_LIMIT - 64]) {
  snprintf(directory, PATH_LIMIT - 64, "%s.%s", groups->group[each], id);
}

static bool write_at(const char *directory, const char *file, const char *text) {
  char path[PATH_LIMIT];
  snprintf(path, sizeof path, "%s/%s", directory, file);
  return write_file(path, text);
}

static size_t read_at(const char *directory, const char *file, char *text, size_t size) {
  char path[PATH_LIMIT];
  snprintf(path, sizeof path, "%s/%s", directory, file);
  int from = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t length = from < 0 ? 0 : read(from, text, size - 1);
  if (from >= 0) close(from);
  text[length > 0 ? length : 0] = 0;
  return length > 0 ? (size_t)length : 0;
}

// The number after `key` in a file of "key number" lines; without a key the file is the number.
static uint64_t number_at(const char *directory, const char *file, const char *key) {
  char text[4096];
  if (read_at(directory, file, text, sizeof text) == 0) return 0;
  if (key == NULL) return strtoull(text, NULL, 10);
  size_t length = strlen(key);
  for (const char *line = text; line != NULL; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
    if (strncmp(line, key, length) == 0 && line[length] == ' ') return strtoull(line + length, NULL, 10);
  return 0;
}

static bool has_word(const char *list, const char *word) { // words between commas
  size_t length = strlen(word);
  for (const char *at = list; at != NULL; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
    if (strncmp(at, word, length) == 0 && strchr(",\n", at[length]) != NULL) return true; // strchr finds the end, too
  return false;
}

// Who was started by a server's data process is not meant to be below that server's group: cuts "/yunmen-x/server" off.
static void leave_own_group(char *path) {
  size_t length = strlen(path), end = sizeof own_group - 1;
  if (length <= end || strcmp(path + length - end, own_group) != 0) return;
  path[length - end] = 0;
  char *group = strrchr(path, '/');
  if (group != NULL && strncmp(group + 1, prefix, strlen(prefix)) == 0) group[group == path] = 0;
  else path[length - end] = own_group[0];
}

// Our own path in a hierarchy of version 1, as /proc/self/cgroup tells it.
static bool own_path(const char *controller, char *path, size_t size) {
  FILE *file = fopen("/proc/self/cgroup", "re");
  char line[PATH_LIMIT];
  bool found = false;
  while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
    char *list = strchr(line, ':'), *own = list == NULL ? NULL : strchr(list + 1, ':');
    if (own == NULL) continue;
    *own++ = 0;
    own[strcspn(own, "\n")] = 0;
    leave_own_group(own);
    found = has_word(list + 1, controller) && snprintf(path, size, "%s", own) < (int)size;
  }
  if (file != NULL) fclose(file);
  return found;
}

// In version 2 who has a part delegated (systemd: Delegate=yes) keeps to it; root without one uses the whole.
static const char leaf[] = "/server-of-yunmen"; // for the processes that are there already: a group has these or groups
static bool find_delegated(const char *point, char *group, size_t size) {
  char own[PATH_LIMIT / 4], files[PATH_LIMIT + 16], is[2] = "";
  if (!own_path("", own, sizeof own) || snprintf(group, size, "%s%s", point, strcmp(own, "/") == 0 ? "" : own) >= (int)size) return false;
  size_t length = strlen(group), end = sizeof leaf - 1;
  if (length > end && strcmp(group + length - end, leaf) == 0) group[length - end] = 0;
  if (geteuid() == 0) return getxattr(group, "trusted.delegate", is, 1) == 1 || getxattr(group, "user.delegate", is, 1) == 1;
  snprintf(files, sizeof files, "%s/cgroup.procs", group);
  return access(group, W_OK) == 0 && access(files, W_OK) == 0;
}

static bool move_members(const char *from, const char *to) {
  char members[PATH_LIMIT], pid[32];
  snprintf(members, sizeof members, "%.900s/cgroup.procs", from);
  for (int tries = 0; tries < 1000; tries++) {
    FILE *file = fopen(members, "re");
    bool is_any = file != NULL && fgets(pid, sizeof pid, file) != NULL;
    if (file != NULL) fclose(file);
    if (!is_any) return true;
    if (!write_at(to, "cgroup.procs", pid) && errno != ESRCH) return false;
  }
  return false;
}

static bool move_to_leaf(const char *group) {
  char path[PATH_LIMIT / 2];
  snprintf(path, sizeof path, "%.255s%s", group, leaf);
  return (mkdir(path, 0755) == 0 || errno == EEXIST) && move_members(group, path);
}

// Where processes go that were in a server's own group.
static void find_outside(struct cgroups *groups, int version, const char *parent) {
  if (parent[0] != 0) snprintf(groups->outside, sizeof groups->outside, "%.255s%s", parent, version == 2 && is_delegated ? leaf : "");
}

// The directory of each controller that holds (or would hold) the groups of servers. Returns the version.
static int find_parents(char parents[CONTROLLERS][PATH_LIMIT / 4]) {
  FILE *file = fopen("/proc/self/mountinfo", "re");
  char line[4096], unified[PATH_LIMIT / 4] = "";
  memset(parents, 0, CONTROLLERS * sizeof parents[0]);
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    char root[256], point[200], kind[32], options[256], path[256];
    char *rest = strstr(line, " - ");
    if (rest == NULL || sscanf(line, "%*s %*s %*s %255s %199s", root, point) != 2) continue;
    if (sscanf(rest + 3, "%31s %*s %255s", kind, options) != 2) continue;
    if (strcmp(kind, "cgroup2") == 0 && unified[0] == 0) snprintf(unified, sizeof unified, "%s", point);
    if (strcmp(kind, "cgroup") != 0) continue;
    for (int each = 0; each < CONTROLLERS; each++) {
      if (!has_word(options, names[each]) || !own_path(names[each], path, sizeof path)) continue;
      // The mount may show only a part of the hierarchy: what it leaves out is no part of the path.
      const char *below = path;
      if (strcmp(root, "/") != 0 && strncmp(path, root, strlen(root)) == 0) below += strlen(root);
      if (strcmp(below, "/") == 0) below = "";
      if (snprintf(parents[each], sizeof parents[each], "%s%s", point, below) >= (int)sizeof parents[each]) parents[each][0] = 0;
    }
  }
  if (file != NULL) fclose(file);
  if (parents[MEMORY][0] != 0 && parents[PIDS][0] != 0) return 1;
  if (unified[0] == 0) return 0;
  char delegated[PATH_LIMIT / 4];
  is_delegated = find_delegated(unified, delegated, sizeof delegated);
  if (is_delegated) strcpy(unified, delegated);
  else if (geteuid() != 0) return 0;
  for (int each = 0; each < CONTROLLERS; each++) strcpy(parents[each], unified);
  return 2;
}

static bool lock_group(struct cgroups *groups) {
  groups->lock = open(groups->group[MEMORY], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return groups->lock >= 0 && flock(groups->lock, LOCK_EX | LOCK_NB) == 0;
}

// What is beside them are processes in version 1, so that 512 MB count like an ordinary one (1024); in version 2 groups of
// many (100), of which 512 MB count like a quarter.
static void write_weight(const char *directory, bool is_first, uint32_t memory_mb) {
  char weight[32];
  uint32_t memory = memory_mb < 32 ? 32 : memory_mb > 131072 ? 131072 : memory_mb;
  snprintf(weight, sizeof weight, "%u", is_first ? memory * 2 : memory * 50 / 1024 + 1);
  write_at(directory, is_first ? "cpu.shares" : "cpu.weight", weight);
}

// Without it nothing is broken but that a computing function delays others.
static void make_own_group(const struct cgroups *groups) {
  char directory[PATH_LIMIT - 64];
  if (groups->group[CPU][0] == 0) return;
  snprintf(directory, sizeof directory, "%s%s", groups->group[CPU], own_group);
  if (mkdir(directory, 0755) == 0 || errno == EEXIST) write_weight(groups->group[CPU], groups->version == 1, OWN_MB);
}

bool cgroups_open(struct cgroups *groups, const char *name) {
  char parents[CONTROLLERS][PATH_LIMIT / 4];
  memset(groups, 0, sizeof *groups);
  groups->lock = -1;
  int version = find_parents(parents);
  if (version == 0) {
    strcpy(cgroups_why, "no control groups with memory and pids are mounted");
    return false;
  }
  bool has_all = true;
  for (int each = 0; has_all && each < CONTROLLERS; each++) {
    if (parents[each][0] == 0) continue;
    char *group = groups->group[each];
    snprintf(group, sizeof groups->group[each], "%.255s/%s%.60s", parents[each], prefix, name);
    if (version == 2 && each == 0 && is_delegated && !move_to_leaf(parents[0])) {
      snprintf(cgroups_why, sizeof cgroups_why, "cannot move its processes within %.180s: %s", parents[0], strerror(errno));
      return false;
    }
    if (version == 2 && each == 0) has_all = write_at(parents[0], "cgroup.subtree_control", "+memory +pids +cpu");
    if (!has_all || mkdir(group, 0755) == 0 || errno == EEXIST) continue;
    snprintf(cgroups_why, sizeof cgroups_why, "cannot make %.180s: %s", group, strerror(errno));
    group[0] = 0;
    if (each == MEMORY || each == PIDS) return false;
  }
  if (!has_all || !lock_group(groups)) {
    snprintf(cgroups_why, sizeof cgroups_why, "cannot use %.180s: %s", groups->group[MEMORY], strerror(errno));
    cgroups_close(groups);
    return false;
  }
  groups->version = version;
  find_outside(groups, version, parents[CPU]);
  make_own_group(groups);
  return true;
}

const char *cgroups_adopt(const struct cgroups *groups, pid_t pid) {
  char directory[PATH_LIMIT - 64], text[32];
  if (groups->group[CPU][0] == 0) return NULL;
  snprintf(directory, sizeof directory, "%s%s", groups->group[CPU], own_group);
  snprintf(text, sizeof text, "%d", (int)pid);
  return write_at(directory, "cgroup.procs", text) ? NULL : "cannot put the data process beside its instances";
}

bool cgroups_have_classes(const struct cgroups *groups) {
  char path[PATH_LIMIT];
  snprintf(path, sizeof path, "%s/cpu.idle", groups->group[CPU]);
  return groups->version != 0 && groups->group[CPU][0] != 0 && access(path, W_OK) == 0; // Linux 5.15
}

// As linux/sched/types.h has it, which not every C library's headers can be read beside.
struct attributes {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
};

static bool is_fair(uint32_t policy) { // SCHED_OTHER, SCHED_BATCH or SCHED_IDLE; in others the field means something else
  return policy == 0 || policy == 3 || policy == 5;
}

// The turn that a thread asks for: TURN_US in the idle class, elsewhere the kernel's own (1.4 ms on two processors, less than a tick).
// Since Linux 6.6 who runs next is who has the earliest virtual deadline, whatever the class. With turns shorter than a tick, of which
// each takes a whole one, idle groups are behind their deadlines as soon as there are several, and then win against who wakes up,
// which waits for the next tick. A longer turn has a later deadline, and who wakes up ends it as before. Linux 6.11 ignores it.
static void set_turn(pid_t thread, bool is_background) {
  struct attributes own;
  if (syscall(SYS_sched_getattr, thread, &own, sizeof own, 0) != 0 || !is_fair(own.policy)) return;
  own.runtime = is_background ? TURN_US * 1000 : 0;
  syscall(SYS_sched_setattr, thread, &own, 0);
}

// Of all that run in the group now; whoever they start has theirs.
static void set_turns(const char *directory, const char *list, bool is_background) {
  char path[PATH_LIMIT];
  snprintf(path, sizeof path, "%s/%s", directory, list);
  FILE *file = fopen(path, "re");
  long thread;
  while (file != NULL && fscanf(file, "%ld", &thread) == 1)
    if (thread > 0) set_turn((pid_t)thread, is_background);
  if (file != NULL) fclose(file);
}

// Whoever leaves the idle class has the weight of an ordinary group, whatever it was before.
const char *cgroups_put(const struct cgroups *groups, const char *id, uint32_t memory_mb, bool is_background) {
  char directory[PATH_LIMIT - 64];
  if (!cgroups_have_classes(groups)) return "there is no background here";
  instance_group(groups, CPU, id, directory);
  if (!write_at(directory, "cpu.idle", is_background ? "1" : "0")) return "cannot change its class";
  if (!is_background) write_weight(directory, groups->version == 1, memory_mb);
  if (groups->version == 1) set_turns(directory, "tasks", is_background);
  else {
    set_turns(directory, "cgroup.threads", is_background);
    set_turns(directory, "run/cgroup.threads", is_background);
  }
  return NULL;
}

// What may be used within a period; both versions have a limit, but write it differently.
static bool write_quota(const char *directory, bool is_first, uint32_t cpu) {
  char quota[64];
  long most = (long)cpu * PERIOD_US / 1000;
  if (!is_first) {
    if (cpu == 0) snprintf(quota, sizeof quota, "max %d", PERIOD_US);
    else snprintf(quota, sizeof quota, "%ld %d", most, PERIOD_US);
    return write_at(directory, "cpu.max", quota);
  }
  snprintf(quota, sizeof quota, "%d", PERIOD_US);
  if (!write_at(directory, "cpu.cfs_period_us", quota)) return false;
  snprintf(quota, sizeof quota, "%ld", cpu == 0 ? -1 : most);
  return write_at(directory, "cpu.cfs_quota_us", quota);
}

const char *cgroups_join(const struct cgroups *groups, const char *id, struct size size, struct freezer *freezer) {
  char directory[PATH_LIMIT - 64], path[PATH_LIMIT], memory[32], processes[32];
  bool is_first = groups->version == 1;
  snprintf(memory, sizeof memory, "%llu", (unsigned long long)size.memory_mb << 20);
  snprintf(processes, sizeof processes, "%u", size.pids);
  for (int each = 0; each < (is_first ? CONTROLLERS : 1); each++) {
    if (groups->group[each][0] == 0) continue;
    instance_group(groups, each, id, directory);
    if (mkdir(directory, 0755) != 0 && errno != EEXIST) return "cannot make a control group";
    if (each == MEMORY && !write_at(directory, is_first ? "memory.limit_in_bytes" : "memory.max", memory)) return "cannot limit memory";
    if (each == MEMORY) write_at(directory, is_first ? "memory.memsw.limit_in_bytes" : "memory.swap.max", is_first ? memory : "0"); // where swap is counted
    if ((each == PIDS || !is_first) && !write_at(directory, "pids.max", processes)) return "cannot limit processes";
    if (each == CPU || !is_first) {
      write_weight(directory, is_first, groups->weight_mb != 0 ? groups->weight_mb : size.memory_mb);
      if (size.cpu != 0 && !write_quota(directory, is_first, size.cpu)) return "cannot limit processors";
    }
    // The first process stays out of the freezer: it has to hear when to thaw.
    if (each != FREEZER && !write_at(directory, "cgroup.procs", "0")) return "cannot join a control group";
  }
  if (is_first && groups->group[FREEZER][0] == 0) return NULL;
  instance_group(groups, FREEZER, id, directory);
  if (!is_first) strncat(directory, "/run", sizeof directory - strlen(directory) - 1);
  if (!is_first && mkdir(directory, 0755) != 0) return "cannot make a control group to freeze";
  snprintf(path, sizeof path, "%s/%s", directory, is_first ? "freezer.state" : "cgroup.freeze");
  freezer->state = open(path, O_WRONLY | O_CLOEXEC);
  snprintf(path, sizeof path, "%s/cgroup.procs", directory);
  freezer->members = open(path, O_WRONLY | O_CLOEXEC);
  freezer->frozen = is_first ? "FROZEN" : "1";
  freezer->thawed = is_first ? "THAWED" : "0";
  return freezer->state < 0 || freezer->members < 0 ? "cannot open the freezer" : NULL;
}

const char *cgroups_limit(const struct cgroups *groups, const char *id, struct size size) {
  char directory[PATH_LIMIT - 64], memory[32];
  if (groups->version == 0) return NULL;
  bool is_first = groups->version == 1;
  instance_group(groups, MEMORY, id, directory);
  snprintf(memory, sizeof memory, "%llu", (unsigned long long)size.memory_mb << 20);
  const char *limit = is_first ? "memory.limit_in_bytes" : "memory.max";
  // With swap counted, neither may pass the other: which one goes first depends on the direction.
  if (!write_at(directory, limit, memory)) {
    if (is_first) write_at(directory, "memory.memsw.limit_in_bytes", memory);
    if (!write_at(directory, limit, memory)) return "cannot limit memory";
  } else if (is_first) write_at(directory, "memory.memsw.limit_in_bytes", memory);
  if (groups->group[CPU][0] == 0) return NULL;
  instance_group(groups, CPU, id, directory);
  write_weight(directory, is_first, size.memory_mb);
  return size.cpu == 0 || write_quota(directory, is_first, size.cpu) ? NULL : "cannot limit processors";
}

void cgroups_outcome(const struct cgroups *groups, const char *id, uint64_t *peak_kb, bool *out_of_memory) {
  if (groups->version == 0) return;
  char directory[PATH_LIMIT - 64];
  instance_group(groups, MEMORY, id, directory);
  bool is_first = groups->version == 1;
  uint64_t peak = number_at(directory, is_first ? "memory.max_usage_in_bytes" : "memory.peak", NULL) >> 10;
  if (peak > 0) *peak_kb = peak;
  if (number_at(directory, is_first ? "memory.oom_control" : "memory.events", "oom_kill") > 0) *out_of_memory = true;
}

void cgroups_remove(const struct cgroups *groups, const char *id) {
  char directory[PATH_LIMIT - 64], below[PATH_LIMIT];
  for (int each = 0; groups->version != 0 && each < CONTROLLERS; each++) {
    if (groups->group[each][0] == 0 || (groups->version == 2 && each > 0)) continue;
    instance_group(groups, each, id, directory);
    snprintf(below, sizeof below, "%s/run", directory);
    if (groups->version == 2) rmdir(below);
    rmdir(directory); // what stays is removed with the server's group
  }
}

static void kill_members(const char *directory) {
  char path[PATH_LIMIT];
  write_at(directory, "freezer.state", "THAWED");
  write_at(directory, "cgroup.freeze", "0");
  snprintf(path, sizeof path, "%s/cgroup.procs", directory);
  FILE *file = fopen(path, "re");
  long pid;
  while (file != NULL && fscanf(file, "%ld", &pid) == 1)
    if (pid > 1) kill((pid_t)pid, SIGKILL);
  if (file != NULL) fclose(file);
}

static bool is_own_group(const char *directory) {
  size_t length = strlen(directory), end = sizeof own_group - 1;
  return length > end && strcmp(directory + length - end, own_group) == 0;
}

// Kills and removes what is there now; true when nothing is left. The data process is only moved out.
static bool remove_once(const char *directory, int depth, const char *outside) {
  DIR *list = opendir(directory);
  if (list == NULL) return errno == ENOENT;
  for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
    char below[PATH_LIMIT];
    if (entry->d_type != DT_DIR || entry->d_name[0] == '.' || depth == 0) continue;
    if (snprintf(below, sizeof below, "%s/%s", directory, entry->d_name) < (int)sizeof below) remove_once(below, depth - 1, outside);
  }
  closedir(list);
  if (is_own_group(directory)) move_members(directory, outside);
  else kill_members(directory);
  return rmdir(directory) == 0 || errno == ENOENT;
}

// Those of its instances first: as long as one is left, it is the server's that tells whose it is.
static bool remove_all(const char *group, const char *outside) {
  char parent[PATH_LIMIT / 2], path[PATH_LIMIT];
  bool is_left = false;
  snprintf(parent, sizeof parent, "%s", group);
  char *name = strrchr(parent, '/');
  if (name == NULL) return true;
  *name++ = 0;
  size_t length = strlen(name);
  DIR *list = opendir(parent);
  for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;) {
    if (strncmp(entry->d_name, name, length) != 0 || entry->d_name[length] != '.') continue;
    if (snprintf(path, sizeof path, "%s/%s", parent, entry->d_name) >= (int)sizeof path || !remove_once(path, 1, outside)) is_left = true;
  }
  if (list != NULL) closedir(list);
  return !is_left && remove_once(group, 2, outside);
}

// For two seconds at most. All controllers in turn: who is frozen in one group cannot be killed through another.
void cgroups_close(struct cgroups *groups) {
  bool is_left = true;
  for (int tries = 0; is_left && tries < 400; tries++) {
    if (tries > 0) usleep(5000);
    is_left = false;
    for (int each = CONTROLLERS - 1; each >= 0; each--)
      if (groups->group[each][0] != 0 && !remove_all(groups->group[each], groups->outside)) is_left = true;
  }
  if (groups->lock >= 0) close(groups->lock);
  memset(groups, 0, sizeof *groups);
  groups->lock = -1;
}

int cgroups_clean(void) {
  char parents[CONTROLLERS][PATH_LIMIT / 4];
  int version = find_parents(parents), found = 0;
  DIR *list = version == 0 ? NULL : opendir(parents[MEMORY]);
  for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;) {
    if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0 || strchr(entry->d_name, '.') != NULL) continue;
    struct cgroups dead = {.version = version, .lock = -1};
    for (int each = 0; each < CONTROLLERS; each++)
      if (parents[each][0] != 0) snprintf(dead.group[each], sizeof dead.group[each], "%.255s/%.100s", parents[each], entry->d_name);
    find_outside(&dead, version, parents[CPU]);
    if (lock_group(&dead)) {
      cgroups_close(&dead);
      found++;
    } else if (dead.lock >= 0) close(dead.lock);
  }
  if (list != NULL) closedir(list);
  return found;
}
