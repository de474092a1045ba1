// Tier restricted: for containers that may make no namespaces. The file tree is the host's, cut down by Landlock; a user
// of the host for each instance where we may change users; watched instead of limited. Called by instance.c.
#define _GNU_SOURCE
#include "sandbox.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FILE_MB_MAX = 512, ENTRIES_MAX = 65536, DEPTH_MAX = 128, REMOVAL_MS = 5000 };
static const unsigned needed[] = {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_KILL, CAP_SETGID, CAP_SETUID};

static bool has_needed(void) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct has[2];
  if (syscall(SYS_capget, &header, has) != 0) return false;
  for (size_t at = 0; at < sizeof needed / sizeof *needed; at++)
    if ((has[0].effective & 1u << needed[at]) == 0) return false;
  return true;
}

static bool is_mapped(uid_t first) {
  unsigned inside, count;
  bool is = false;
  FILE *map = fopen("/proc/self/uid_map", "re");
  while (map != NULL && !is && fscanf(map, "%u %*u %u", &inside, &count) == 2)
    is = inside <= first && (uint64_t)inside + count > (uint64_t)first + INSTANCES_MAX;
  if (map != NULL) fclose(map);
  return is;
}

// Another sandd of this machine must not give the same users away: each holds the name of its range while it lives.
static bool claim(uid_t first) {
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  int length = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "yunmen-users-%u", first);
  int held = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (held >= 0 && bind(held, (struct sockaddr *)&name, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length)) == 0) return true;
  if (held >= 0) close(held);
  return false;
}

uid_t find_first_uid(void) {
  static uid_t found;
  if (found != 0 || geteuid() != 0 || !has_needed()) return found;
  for (int range = 0; range < 32 && found == 0; range++) // those below are for containers that map 65536 users
    for (int side = 0; side < 2 && found == 0; side++) {
      uid_t first = (side == 0 ? FIRST_UID : FIRST_UID_LOW) + (uid_t)range * 2 * INSTANCES_MAX;
      if (side == 1 && first + INSTANCES_MAX > 65000) continue;
      if (is_mapped(first) && claim(first)) found = first;
    }
  return found;
}

static void temporary_path(const struct place *place, const char *id, char *path, size_t size) {
  snprintf(path, size, "%s/t/%s", place->run_dir, id);
}

void restricted_prepare(const struct start *start, const struct place *place, uid_t uid) {
  char path[128];
  temporary_path(place, start->id, path, sizeof path);
  if (mkdir(path, 0700) != 0) give_up("cannot make", path);
  if (uid != 0 && lchown(path, uid, uid) != 0) give_up("cannot give away", path);
}

// -- what it may reach in the file tree

enum {
  EXECUTE = 1 << 0, WRITE_FILE = 1 << 1, READ_FILE = 1 << 2, READ_DIR = 1 << 3, TRUNCATE = 1 << 14, IOCTL_DEV = 1 << 15,
  OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV,
  TO_READ = EXECUTE | READ_FILE | READ_DIR,
};
static const char *const system_paths[] = {
  "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
  "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf",
  "/etc/services", "/etc/protocols", "/etc/mime.types", "/etc/localtime", "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/ca-certificates",
  "/etc/pki/tls/certs", "/etc/passwd", "/etc/group",
  "/proc/cpuinfo", "/proc/filesystems", "/proc/loadavg", "/proc/meminfo", "/proc/stat", "/proc/sys", "/proc/uptime", "/proc/version",
};
static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"};

static void permit(int rules, int file, uint64_t rights, const char *which) {
  struct stat seen;
  if (file < 0 || fstat(file, &seen) != 0) give_up("it is not allowed to show", which);
  struct landlock_path_beneath_attr rule = {.allowed_access = S_ISDIR(seen.st_mode) ? rights : rights & OF_FILES, .parent_fd = file};
  if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) give_up("cannot make a rule for", which);
  close(file);
}

static void permit_if_there(int rules, const char *path, uint64_t rights) {
  int file = open(path, O_PATH | O_CLOEXEC);
  if (file >= 0) permit(rules, file, rights, path);
}

static int write_rules(const struct start *start, const struct place *place) {
  int version = landlock_version();
  uint64_t all = 0x1fff | (version >= 2 ? 1 << 13 : 0) | (version >= 3 ? TRUNCATE : 0) | (version >= 5 ? IOCTL_DEV : 0);
  struct { uint64_t files, network, scopes; } wanted = {all, 0, version >= 6 ? 3 : 0};
  char path[128];
  int rules = (int)syscall(SYS_landlock_create_ruleset, &wanted, version >= 6 ? 24 : version >= 4 ? 16 : 8, 0);
  if (rules < 0) give_up("cannot make rules for", "files");
  for (size_t at = 0; at < sizeof system_paths / sizeof *system_paths; at++) permit_if_there(rules, system_paths[at], TO_READ);
  for (size_t at = 0; at < sizeof devices / sizeof *devices; at++) permit_if_there(rules, devices[at], all & (READ_FILE | WRITE_FILE | TRUNCATE | IOCTL_DEV));
  for (int at = 0; at < start->bindc; at++)
    if (!is_under_usr(start->binds[at].from)) permit(rules, open_allowed(start->binds[at].from), TO_READ, start->binds[at].from);
  permit(rules, open_allowed(start->code), TO_READ, start->code);
  temporary_path(place, start->id, path, sizeof path);
  permit(rules, open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), all, path);
  // Its own, not those of the processes that it starts; others cannot even be listed.
  permit_if_there(rules, "/proc/self", all & (READ_FILE | WRITE_FILE | READ_DIR));
  return rules;
}

// -- who it is

void become(uid_t uid, gid_t gid, gid_t shared) {
  if (setgroups(shared != 0, &shared) != 0) give_up("cannot leave", "groups");
  if (setresgid(gid, gid, gid) != 0) give_up("cannot change", "the group");
  if (setresuid(uid, uid, uid) != 0) give_up("cannot change", "the user");
}

void restricted_drop(const struct start *start, const struct place *place, uid_t uid) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};
  int rules = write_rules(start, place);
  set_limits();
  limit(RLIMIT_FSIZE, (rlim_t)FILE_MB_MAX << 20);
  if (uid != 0) limit(RLIMIT_NPROC, PROCESSES_MAX); // counted for the user: it has no other instance
  drop_bounding();
  if (uid != 0) become(uid, uid, shared_group(place));
  if (syscall(SYS_capset, &header, none) != 0) give_up("cannot drop", "capabilities");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) give_up("cannot refuse", "new privileges");
  if (syscall(SYS_landlock_restrict_self, rules, 0) != 0) give_up("cannot keep to rules for", "files");
  close(rules);
  refuse_calls(uid != 0 ? CALLS_AMONG_USERS : CALLS_OF_ONE_USER);
}

// The first process keeps what it takes to signal and clean up after another user, and nothing else.
void restricted_hold(void) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct kept[2];
  uint32_t wanted = 0;
  for (size_t at = 0; at < sizeof needed / sizeof *needed; at++) wanted |= 1u << needed[at];
  if (syscall(SYS_capget, &header, kept) != 0) give_up("cannot read", "capabilities");
  for (int half = 0; half < 2; half++) {
    kept[half].permitted &= half == 0 ? wanted : 0;
    kept[half].effective &= kept[half].permitted;
    kept[half].inheritable = 0;
  }
  if (syscall(SYS_capset, &header, kept) != 0) give_up("cannot drop", "capabilities");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) give_up("cannot refuse", "new privileges");
  refuse_calls(CALLS_OF_ALL);
}

// -- its processes and files, from the first process

// Everything that is that user's, in one system call: nothing can be born meanwhile and be missed.
void restricted_signal(uid_t uid, int number) {
  if (uid == 0) {
    tree_signal(number);
    return;
  }
  pid_t helper = fork();
  if (helper == 0) {
    become(uid, uid, 0);
    kill(-1, number);
    _exit(0);
  }
  if (helper > 0) waitpid(helper, NULL, 0);
  else tree_signal(number);
}

static void add_sizes(int directory, int depth, uint64_t *blocks, int *entries);

static void add_size(int parent, const char *name, int depth, uint64_t *blocks, int *entries) {
  struct stat seen;
  if (fstatat(parent, name, &seen, AT_SYMLINK_NOFOLLOW) != 0) return;
  *blocks += (uint64_t)seen.st_blocks;
  ++*entries;
  if (!S_ISDIR(seen.st_mode)) return;
  int directory = depth == 0 ? -1 : open_directory(parent, name);
  if (directory >= 0) add_sizes(directory, depth - 1, blocks, entries);
  // Where nobody can look anything may lie, unless it is gone, or is another, by now.
  else if (depth == 0 || (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)) *entries = ENTRIES_MAX;
}

static void add_sizes(int directory, int depth, uint64_t *blocks, int *entries) {
  DIR *list = fdopendir(directory);
  for (struct dirent *entry; list != NULL && *entries < ENTRIES_MAX && (entry = readdir(list)) != NULL;)
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) add_size(directory, entry->d_name, depth, blocks, entries);
  if (list != NULL) closedir(list);
  else close(directory);
}

bool restricted_fills_disk(const struct place *place, const char *id) {
  char path[128];
  uint64_t blocks = 0;
  int entries = 0;
  temporary_path(place, id, path, sizeof path);
  add_size(AT_FDCWD, path, DEPTH_MAX, &blocks, &entries);
  return entries >= ENTRIES_MAX || blocks >> 11 > FILE_MB_MAX; // of 512 bytes each
}

void restricted_end(const struct place *place, const char *id, uid_t uid, pid_t program) {
  char path[128];
  if (uid != 0) restricted_signal(uid, SIGKILL);
  tree_end(program);
  temporary_path(place, id, path, sizeof path);
  remove_tree(path, now_ms() + REMOVAL_MS);
}
