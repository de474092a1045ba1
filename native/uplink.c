// Forwarding on the host's interfaces that lead out. It is turned on for those alone, never for the whole host, and off
// again by the last server that needs it: each holds a shared lock on one file per interface in /run/yunmen, so that the
// next start, or `sandd clean`, puts back what killed servers left. Called by network.c and sandd.c.
#define _GNU_SOURCE
#include "network.h"
#include "sandbox.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { UPLINKS = 16 };
static const char directory[] = "/run/yunmen";
static struct { char name[IFNAMSIZ]; int lock; } held[UPLINKS]; // lock -1: it was on already, or could not be kept
static int held_count;

static bool is_in(const struct blocks *blocks, uint32_t address, int bits) {
  for (int at = 0; at < blocks->count; at++) {
    struct block block = blocks->list[at];
    uint32_t wide = block.bits == 0 ? 0 : 0xffffffffu << (32 - block.bits);
    if (bits >= block.bits && (address & wide) == (block.address & wide)) return true;
  }
  return false;
}

// Whether instances may reach anything that a route leads to.
static bool leads_out(const struct policy *policy, uint32_t address, int bits) {
  if (!is_in(&policy->refused, address, bits) || is_in(&policy->allowed, address, bits)) return true;
  struct blocks route = {1, {{address, (uint8_t)bits}}};
  for (int at = 0; at < policy->allowed.count; at++)
    if (is_in(&route, policy->allowed.list[at].address, policy->allowed.list[at].bits)) return true;
  return false;
}

static char read_digit(const char *path) {
  char digit = 0;
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  if (read(file, &digit, 1) != 1) digit = 0;
  close(file);
  return digit;
}

static void forwarding_path(char *path, size_t size, const char *name) {
  snprintf(path, size, "/proc/sys/net/ipv4/conf/%s/forwarding", name);
}

// Held only for moments, while files are made and removed.
static int enter(void) {
  char path[64];
  if (mkdir(directory, 0700) != 0 && errno != EEXIST) return -1;
  snprintf(path, sizeof path, "%s/lock", directory);
  int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock >= 0 && flock(lock, LOCK_EX) == 0) return lock;
  if (lock >= 0) close(lock);
  return -1;
}

// The namespace is part of the name: the same directory may serve several.
static void ledger_path(char *path, size_t size, const char *name) {
  struct stat seen = {0};
  if (stat("/proc/self/ns/net", &seen) != 0) seen.st_ino = 0;
  snprintf(path, size, "%s/forwarding-%lu-%s", directory, (unsigned long)seen.st_ino, name);
}

// Turns it on and remembers that it was off. The lock, or -1 when there is nothing to put back.
static int turn_on(const char *name) {
  char path[160], setting[96];
  int outer = enter();
  if (outer < 0) return -1;
  forwarding_path(setting, sizeof setting, name);
  ledger_path(path, sizeof path, name);
  bool is_new = access(path, F_OK) != 0;
  int lock = -1;
  if (!is_new || read_digit(setting) == '0') {
    lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock >= 0 && (flock(lock, LOCK_SH) != 0 || !write_file(setting, "1"))) {
      close(lock);
      lock = -1;
      if (is_new) unlink(path);
    }
  }
  close(outer);
  return lock;
}

// For who holds `outer`. Whoever gets the lock alone is the last one; a host that by now forwards everywhere is left so.
static bool turn_off(const char *path, const char *name, int lock) {
  char setting[96];
  forwarding_path(setting, sizeof setting, name);
  if (flock(lock, LOCK_EX | LOCK_NB) != 0) return false;
  if (read_digit("/proc/sys/net/ipv4/ip_forward") == '0' && access(setting, F_OK) == 0) write_file(setting, "0");
  return unlink(path) == 0;
}

static void hold(const char *name) {
  if (held_count == UPLINKS || strcmp(name, "lo") == 0 || strncmp(name, "yunmen", 6) == 0) return;
  for (int at = 0; at < held_count; at++)
    if (strcmp(held[at].name, name) == 0) return;
  snprintf(held[held_count].name, sizeof held[held_count].name, "%s", name);
  held[held_count++].lock = turn_on(name);
}

void uplink_follow(const struct policy *policy) {
  char line[256], name[IFNAMSIZ];
  unsigned address, mask; // as they lie in memory
  FILE *routes = fopen("/proc/self/net/route", "re");
  while (routes != NULL && fgets(line, sizeof line, routes) != NULL)
    if (sscanf(line, "%15s %x %*x %*x %*d %*d %*d %x", name, &address, &mask) == 3 && leads_out(policy, ntohl(address), __builtin_popcount(mask))) hold(name);
  if (routes != NULL) fclose(routes);
}

void uplink_end(void) {
  char path[160];
  int outer = held_count > 0 ? enter() : -1;
  for (int at = 0; at < held_count; at++) {
    ledger_path(path, sizeof path, held[at].name);
    if (held[at].lock >= 0 && outer >= 0) turn_off(path, held[at].name, held[at].lock);
    if (held[at].lock >= 0) close(held[at].lock);
  }
  held_count = 0;
  if (outer >= 0) close(outer);
}

int uplink_clean(void) {
  char path[400], own[160];
  int removed = 0, outer = access(directory, F_OK) == 0 ? enter() : -1;
  if (outer < 0) return 0;
  ledger_path(own, sizeof own, "");
  const char *begin = strrchr(own, '/') + 1;
  DIR *list = opendir(directory);
  for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;) {
    if (strncmp(entry->d_name, begin, strlen(begin)) != 0) continue;
    snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
    int lock = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (lock < 0) continue;
    removed += turn_off(path, entry->d_name + strlen(begin), lock);
    close(lock);
  }
  if (list != NULL) closedir(list);
  close(outer);
  return removed;
}
