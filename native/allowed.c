// The directories that instances may be shown: code, bootstraps, interpreters. Control names them (descriptor 3), so
// that who takes over the data process cannot have the host's other files shown to an instance of its own.
#define _GNU_SOURCE
#include "sandbox.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ALLOWED_MAX = 128 };
// What a directory is, is kept with its name: put another in its place, and it is no longer allowed. Its descriptor stays
// open so that no other can come to have its numbers.
static struct { char path[PATH_LIMIT]; struct stat is; } allowed[ALLOWED_MAX];
static int count;

// As that user and group sees it; -1 when it does not.
static int open_as(const char *path, uid_t user, gid_t group) {
  uid_t own = (uid_t)setfsuid(user);
  gid_t own_group = (gid_t)setfsgid(group);
  int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int why = errno;
  setfsgid(own_group);
  setfsuid(own);
  errno = why;
  return directory;
}

static bool is_entered(const char *path, const struct place *place) {
  struct stat seen;
  uid_t own = (uid_t)setfsuid(place->first_uid); // sandd is in the shared group, too
  gid_t own_group = (gid_t)setfsgid(place->first_uid);
  char inside[PATH_LIMIT + 2];
  snprintf(inside, sizeof inside, "%s/.", path);
  bool is = stat(inside, &seen) == 0;
  setfsgid(own_group);
  setfsuid(own);
  return is;
}

// Control cannot allow what its own user could not read. Where instances see the file tree of the host, they must get there.
const char *allow_directory(const char *path, const struct place *place) {
  for (int at = 0; at < count; at++)
    if (strcmp(allowed[at].path, path) == 0) return NULL;
  if (count == ALLOWED_MAX) return "too many directories";
  if (strlen(path) >= PATH_LIMIT) return "the path is too long";
  int directory = open_as(path, place->owner, place->owner_group);
  if (directory < 0 || fstat(directory, &allowed[count].is) != 0) {
    const char *why = strerror(errno);
    if (directory >= 0) close(directory);
    return why;
  }
  if (place->tier == TIER_RESTRICTED && place->first_uid != 0 && !is_entered(path, place)) {
    close(directory);
    return "instances cannot enter it: a directory on the way to it is closed to others";
  }
  strcpy(allowed[count++].path, path);
  return NULL;
}

int open_allowed(const char *path) {
  for (int at = 0; at < count; at++) {
    size_t length = strlen(allowed[at].path);
    if (strncmp(path, allowed[at].path, length) != 0 || (path[length] != 0 && path[length] != '/')) continue;
    int directory = open(allowed[at].path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return -1;
    int found = is_same_file(directory, &allowed[at].is) ? open_beneath(directory, path[length] == 0 ? "" : path + length + 1, O_PATH) : -1;
    int why = found < 0 && errno != 0 ? errno : EACCES;
    close(directory);
    errno = why;
    if (found >= 0) return found;
  }
  errno = EACCES;
  return -1;
}
