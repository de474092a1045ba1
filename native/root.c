// What an instance sees: a root of its own, put together in memory, all of the host in it read-only.
// Runs in the instance's first process, which has the rights for it; every failure ends the instance by give_up.
#define _GNU_SOURCE
#include "sandbox.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const uint64_t plain = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
static const uint64_t device = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;

// Files of the host's /etc that programs need to resolve names, check certificates and find libraries.
static const char *const shared_etc[] = {
  "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "nsswitch.conf", "services", "protocols",
  "mime.types", "localtime", "ssl/certs", "ssl/openssl.cnf", "ca-certificates", "pki/tls/certs",
};
static const char *const devices[] = {"null", "zero", "full", "random", "urandom"};
static const char *const hidden_files[] = {"kcore", "keys", "key-users", "kmsg", "kallsyms", "timer_list", "sysrq-trigger", "sched_debug", "latency_stats"};
static const char *const hidden_directories[] = {"acpi", "scsi", "asound"};
static const char *const kept_directories[] = {"sys", "bus", "fs", "irq"};

// Paths below are relative: the working directory is the root that is being built.
static void make_directory(const char *path) {
  if (mkdir(path, 0755) != 0 && errno != EEXIST) give_up("cannot make", path);
}

static void make_file(const char *path, const char *text) {
  int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (file < 0 || write(file, text, strlen(text)) != (ssize_t)strlen(text)) give_up("cannot write", path);
  close(file);
}

static void make_link(const char *target, const char *path) {
  if (symlink(target, path) != 0) give_up("cannot link", path);
}

// The mount has its attributes before anybody can see it; what is mounted below `from` gets them, too.
static void attach(int from, int to, uint64_t attributes, const char *which) {
  struct mount_attr wanted = {.attr_set = attributes};
  int tree = (int)syscall(SYS_open_tree, from, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_EMPTY_PATH);
  if (tree < 0) give_up("cannot open", which);
  if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &wanted, sizeof wanted) != 0) give_up("cannot make read-only", which);
  if (syscall(SYS_move_mount, tree, "", to, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0) give_up("cannot mount", which);
  close(tree);
}

// Makes what is to be mounted upon, and what it lies in, one name at a time and through no link: links that are there
// already would lead to the host's files.
static int make_place(const char *to, bool is_directory) {
  char name[PATH_LIMIT];
  int at = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  for (const char *part = to; at >= 0 && part != NULL;) {
    const char *slash = strchr(part, '/');
    bool is_last_file = slash == NULL && !is_directory;
    snprintf(name, sizeof name, "%.*s", (int)(slash == NULL ? strlen(part) : (size_t)(slash - part)), part);
    int made = is_last_file ? openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644) : mkdirat(at, name, 0755);
    if (made < 0 && errno != EEXIST) give_up("cannot make", to);
    if (is_last_file && made >= 0) close(made);
    int next = openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC | (is_last_file ? 0 : O_DIRECTORY));
    close(at);
    at = next;
    part = slash == NULL ? NULL : slash + 1;
  }
  if (at < 0) give_up("cannot make", to);
  return at;
}

static void show_open(int from, const char *to, uint64_t attributes) {
  struct stat seen;
  if (from < 0 || fstat(from, &seen) != 0) give_up("cannot find what is to be", to);
  int place = make_place(to, S_ISDIR(seen.st_mode));
  attach(from, place, attributes, to);
  close(place);
  close(from);
}

// The system's own: links on the way are its own, too.
static void show(const char *from, const char *to, uint64_t attributes) {
  int tree = open(from, O_PATH | O_CLOEXEC);
  if (tree < 0) give_up("cannot find", from);
  show_open(tree, to, attributes);
}

// What the data process named: only what it may.
static void show_named(const char *from, const char *to, uint64_t attributes) {
  int tree = open_allowed(from);
  if (tree < 0) give_up("it is not allowed to show", from);
  show_open(tree, to, attributes);
}

static void show_if_there(const char *from, const char *to, uint64_t attributes) {
  if (access(from, F_OK) == 0) show(from, to, attributes);
}

static void mount_memory(const char *to, const char *options, unsigned long flags) {
  make_directory(to);
  if (mount("tmpfs", to, "tmpfs", MS_NOSUID | MS_NODEV | flags, options) != 0) give_up("cannot mount memory at", to);
}

// A directory of the image that its program may write to: memory, as /tmp is. The image has the directory.
static void mount_volume(const char *to) {
  static const char *const options[][2] = {{"size", "512m"}, {"nr_inodes", "128k"}, {"mode", "1777"}};
  int place = make_place(to, true), memory = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
  bool is_right = memory >= 0;
  for (size_t at = 0; is_right && at < sizeof options / sizeof *options; at++)
    is_right = syscall(SYS_fsconfig, memory, FSCONFIG_SET_STRING, options[at][0], options[at][1], 0) == 0;
  is_right = is_right && syscall(SYS_fsconfig, memory, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0;
  int tree = is_right ? (int)syscall(SYS_fsmount, memory, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV) : -1;
  if (tree < 0 || syscall(SYS_move_mount, tree, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0) give_up("cannot mount memory at", to);
  close(tree);
  close(memory);
  close(place);
}

static const char doorway_resolver[] = "nameserver 100.100.2.136\noptions timeout:2 attempts:2\n";

// In a network of its own the doorway answers for names; the host's ways are of no use there.
static void show_names(enum network network) {
  if (network == NETWORK_HOST) {
    show_if_there("/etc/resolv.conf", "etc/resolv.conf", plain);
    show_if_there("/etc/hosts", "etc/hosts", plain);
    return;
  }
  make_file("etc/resolv.conf", doorway_resolver);
  make_file("etc/hosts", "127.0.0.1 localhost\n::1 localhost ip6-localhost\n");
}

static void show_system(enum network network) {
  static const char *const tops[] = {"bin", "sbin", "lib", "lib32", "lib64", "libx32"};
  char from[64], target[PATH_LIMIT];
  show("/usr", "usr", plain);
  for (size_t at = 0; at < sizeof tops / sizeof *tops; at++) {
    snprintf(from, sizeof from, "/%s", tops[at]);
    ssize_t length = readlink(from, target, sizeof target - 1);
    target[length > 0 ? length : 0] = 0;
    if (length > 0) make_link(target, tops[at]);
    else show_if_there(from, tops[at], plain);
  }
  for (size_t at = 0; at < sizeof shared_etc / sizeof *shared_etc; at++) {
    snprintf(from, sizeof from, "/etc/%s", shared_etc[at]);
    show_if_there(from, from + 1, plain);
  }
  show_names(network);
  snprintf(target, sizeof target, "root:x:0:0:root:/root:/sbin/nologin\nuser%d:x:%d:%d::/tmp:/sbin/nologin\n", SHOWN_ID, SHOWN_ID, SHOWN_ID);
  make_directory("etc"); // where the host has none of those
  make_file("etc/passwd", target);
  snprintf(target, sizeof target, "root:x:0:\nuser%d:x:%d:\n", SHOWN_ID, SHOWN_ID);
  make_file("etc/group", target);
}

static void show_devices(void) {
  char from[64];
  make_directory("dev");
  for (size_t at = 0; at < sizeof devices / sizeof *devices; at++) {
    snprintf(from, sizeof from, "/dev/%s", devices[at]);
    show(from, from + 1, device);
  }
  make_link("/proc/self/fd", "dev/fd");
  make_link("/proc/self/fd/0", "dev/stdin");
  make_link("/proc/self/fd/1", "dev/stdout");
  make_link("/proc/self/fd/2", "dev/stderr");
  mount_memory("dev/shm", "size=64m,nr_inodes=16k,mode=1777", MS_NOEXEC);
}

// Both are there already, in the root that is being built.
static void cover(const char *from, const char *to, uint64_t attributes) {
  int tree = open(from, O_PATH | O_NOFOLLOW | O_CLOEXEC), place = open(to, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (tree < 0 || place < 0) give_up("cannot cover", to);
  attach(tree, place, attributes, to);
  close(tree);
  close(place);
}

// In tier user the first process must be able to measure everything, so nothing is hidden from the same user there.
static void show_processes(enum tier tier) {
  char path[64];
  make_directory("proc");
  if (mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, tier == TIER_STRONG ? "hidepid=2" : NULL) != 0) give_up("cannot mount", "proc");
  for (size_t at = 0; at < sizeof hidden_files / sizeof *hidden_files; at++) {
    snprintf(path, sizeof path, "proc/%s", hidden_files[at]);
    if (access(path, F_OK) == 0) cover("dev/null", path, device);
  }
  for (size_t at = 0; at < sizeof hidden_directories / sizeof *hidden_directories; at++) {
    snprintf(path, sizeof path, "proc/%s", hidden_directories[at]);
    if (access(path, F_OK) == 0) cover("opt", path, plain);
  }
  for (size_t at = 0; at < sizeof kept_directories / sizeof *kept_directories; at++) {
    snprintf(path, sizeof path, "proc/%s", kept_directories[at]);
    if (access(path, F_OK) == 0) cover(path, path, plain | MOUNT_ATTR_NOEXEC);
  }
}

bool is_under_usr(const char *path) {
  return strcmp(path, "/usr") == 0 || strncmp(path, "/usr/", 5) == 0;
}

// The loader of shared libraries remembers which of its directories were not there when the interpreter started: they
// are there, empty. Who is not root cannot bring code in from outside, so all of it waits in a place that goes later.
static void show_place_for_code(const struct start *start, const struct place *place) {
  static const char *const directories[] = {"code/lib", "code/lib/glibc-hwcaps", "code/glibc-hwcaps"};
  static const char *const levels[] = {"x86-64-v2", "x86-64-v3", "x86-64-v4"};
  char path[64];
  make_directory("code");
  for (size_t at = 0; !waits_for_program(start) && at < sizeof directories / sizeof *directories; at++) {
    make_directory(directories[at]);
    for (size_t level = 0; at > 0 && level < sizeof levels / sizeof *levels; level++) {
      snprintf(path, sizeof path, "%s/%s", directories[at], levels[level]);
      make_directory(path);
    }
  }
  if (!place->is_root) show_named(start->code, waiting_code + 1, plain);
}

// An image brings its own way to names, which leads nowhere in a network of its own.
static void show_names_in_image(enum network network) {
  struct stat seen;
  if (network == NETWORK_HOST || lstat("etc/resolv.conf", &seen) != 0 || !S_ISREG(seen.st_mode)) return;
  make_file("dev/resolv.conf", doorway_resolver);
  cover("dev/resolv.conf", "etc/resolv.conf", plain);
}

void build_root(const struct start *start, const struct place *place) {
  char path[PATH_LIMIT];
  struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) give_up("cannot keep mounts private at", "/");
  snprintf(path, sizeof path, "%s/root", place->run_dir);
  if (mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,nr_inodes=1k,mode=755") != 0) give_up("cannot mount a root at", path);
  if (chdir(path) != 0) give_up("cannot enter", path);
  if (!start->is_image) show_system(start->network);
  show_devices();
  make_directory("opt");
  show_processes(place->tier);
  mount_memory("tmp", "size=512m,nr_inodes=128k,mode=1777", 0);
  make_directory("var");
  make_link("../tmp", "var/tmp");
  for (int at = 0; at < start->bindc; at++)
    if (start->binds[at].from[0] != 0 && (start->is_image || !is_under_usr(start->binds[at].from))) show_named(start->binds[at].from, start->binds[at].to + 1, plain);
  for (int at = 0; start->is_image && at < start->bindc; at++)
    if (start->binds[at].from[0] == 0) mount_volume(start->binds[at].to + 1);
  if (start->is_image) show_names_in_image(start->network);
  if (start->is_spare) show_place_for_code(start, place);
  else show_named(start->code, "code", plain);
  show_open(open_instance_directory(place, start->id), "run/yunmen", plain | MOUNT_ATTR_NOEXEC);
  if (syscall(SYS_mount_setattr, AT_FDCWD, ".", 0, &read_only, sizeof read_only) != 0) give_up("cannot make read-only", "/");
  // The new root is put over the old one, and the old one taken away from under it.
  if (syscall(SYS_pivot_root, ".", ".") != 0) give_up("cannot change to", "the new root");
  if (umount2(".", MNT_DETACH) != 0) give_up("cannot leave", "the old root");
  if (chdir("/") != 0) give_up("cannot enter", "/");
}
