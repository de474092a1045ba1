// What descends from an instance's first process: measured, and in tiers without a namespace of processes signalled and
// ended by hand. Orphans become that process's children, so nothing leaves. Called by instance.c.
#define _GNU_SOURCE
#include "sandbox.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { END_TREE_MS = 5000, DEPTH_MAX = 64, EXACT_MS = 50, EXACT_WAIT_MS = 500 };

typedef void visit(pid_t pid, void *of);

static bool is_too_deep; // somebody was further below than is looked
static int thread_count; // of all that were found, and of the first process

// Every process below this one, by the children of each of its threads. What is born meanwhile may be missed.
static void each_below(pid_t pid, int depth, visit *visit, void *of) {
  char path[300];
  is_too_deep |= depth == DEPTH_MAX;
  snprintf(path, sizeof path, "/proc/%d/task", pid);
  DIR *threads = depth < DEPTH_MAX ? opendir(path) : NULL;
  for (struct dirent *entry; threads != NULL && (entry = readdir(threads)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    thread_count++;
    snprintf(path, sizeof path, "/proc/%d/task/%.20s/children", pid, entry->d_name);
    FILE *children = fopen(path, "re");
    long child;
    while (children != NULL && fscanf(children, "%ld", &child) == 1) {
      visit((pid_t)child, of);
      each_below((pid_t)child, depth + 1, visit, of);
    }
    if (children != NULL) fclose(children);
  }
  if (threads != NULL) closedir(threads);
}

struct signalling { int number, count; };
static void signal_one(pid_t pid, void *of) {
  struct signalling *signalling = of;
  signalling->count += kill(pid, signalling->number) == 0;
}

void tree_signal(int number) {
  for (int before = -1, rounds = 0; rounds < 16; rounds++) { // until nothing new was born meanwhile
    struct signalling signalling = {number, 0};
    each_below(getpid(), 0, signal_one, &signalling);
    if (signalling.count == before) return;
    before = signalling.count;
  }
}

static void add_own_pages(const char *path, uint64_t *pages) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  char text[128];
  ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
  if (file >= 0) close(file);
  if (length <= 0) return; // it has ended
  text[length] = 0;
  unsigned long resident = 0, shared = 0;
  if (sscanf(text, "%*u %lu %lu", &resident, &shared) == 2 && resident > shared) *pages += resident - shared;
}

// Its part of what it shares with others, as children do what they have not changed. False: the kernel does not tell.
static bool add_proportional(pid_t pid, uint64_t *pages) {
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
  FILE *rollup = fopen(path, "re");
  unsigned long kb;
  bool is_found = false;
  while (rollup != NULL && !is_found && fgets(line, sizeof line, rollup) != NULL) is_found = sscanf(line, "Pss_Anon: %lu", &kb) == 1;
  if (rollup != NULL) fclose(rollup);
  if (is_found) *pages += kb / ((unsigned long)sysconf(_SC_PAGESIZE) >> 10);
  return is_found;
}

static void measure_one(pid_t pid, void *of) {
  struct tree_size *size = of;
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/statm", pid);
  // Nobody may make that take long: what cannot be looked at in time counts as if nothing of it was shared.
  bool has_time = now_ms() < size->exact_until && clock() < size->clock_until;
  if (!has_time || !add_proportional(pid, &size->pages)) add_own_pages(path, &size->pages);
}

// What another user's processes share is shown to that user, or to who may trace everybody, which we may not. Files are opened as
// who this says, all else stays: nobody can signal or trace us for it.
static void look_as(uid_t user, gid_t group) {
  setfsgid(group);
  setfsuid(user);
}

struct tree_size tree_measure(bool is_all_ours, bool is_exact, uid_t user) {
  struct tree_size size = {.exact_until = is_exact ? now_ms() + EXACT_WAIT_MS : 0, .clock_until = clock() + EXACT_MS * CLOCKS_PER_SEC / 1000};
  is_too_deep = false;
  thread_count = 0;
  if (is_exact && user != 0) look_as(user, user);
  if (!is_all_ours) each_below(getpid(), 0, measure_one, &size);
  if (is_exact && user != 0) {
    look_as(geteuid(), getegid());
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); // some machines' settings allow to look at who changes its user
  }
  size.is_too_deep = is_too_deep;
  size.threads = thread_count;
  DIR *list = is_all_ours ? opendir("/proc") : NULL; // it shows no others
  for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;)
    if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9') measure_one((pid_t)atoi(entry->d_name), &size);
  if (list != NULL) closedir(list);
  return size;
}

void tree_end(pid_t program) {
  struct timespec pause = {0, 1000 * 1000}, now, until;
  char path[64];
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += END_TREE_MS / 1000;
  snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
  if (program > 0) kill(program, SIGKILL);
  do {
    FILE *children = fopen(path, "re");
    long pid;
    while (children != NULL && fscanf(children, "%ld", &pid) == 1) kill((pid_t)pid, SIGKILL);
    if (children != NULL) fclose(children);
    pid_t reaped;
    while ((reaped = waitpid(-1, NULL, WNOHANG)) > 0) {}
    if (reaped < 0) return;
    nanosleep(&pause, NULL);
    clock_gettime(CLOCK_MONOTONIC, &now);
  } while (now.tv_sec < until.tv_sec);
}
