// What an instance is given before there is a process of it: output, start line, the way to its first process; and its
// own user's way to its sockets. Called by table.c.
#define _GNU_SOURCE
#include "server.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

// The data process made these, in a directory of its own: what they are is looked at, not believed, and nobody else's
// socket is connected to with our rights.
static int open_socket(int directory, const char *name) {
  struct stat seen;
  int found = open_beneath(directory, name, O_PATH | O_NOFOLLOW);
  if (found < 0) return -1;
  if (fstat(found, &seen) == 0 && S_ISSOCK(seen.st_mode) && seen.st_uid == place.owner) return found;
  close(found);
  errno = EPERM;
  return -1;
}

static int connect_output(int directory) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int found = open_socket(directory, "l.sock"), output = -1;
  if (found < 0) return -1;
  snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", found);
  output = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (output >= 0 && connect(output, (struct sockaddr *)&address, sizeof address) != 0) {
    close(output);
    output = -1;
  }
  close(found);
  if (output >= 0) fcntl(output, F_SETFL, 0);
  return output;
}

// Its own user must reach the directory and the socket that it connects to, if there is one, and nobody else.
static const char *give_sockets(int directory, const char *name, uid_t uid) {
  int given = name != NULL ? open_socket(directory, name) : -1;
  bool is_given = name == NULL || (given >= 0 && fchownat(given, "", (uid_t)-1, uid, AT_EMPTY_PATH) == 0);
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", given);
  is_given = is_given && (name == NULL || chmod(path, 0660) == 0);
  if (given >= 0) close(given);
  if (!is_given) return "cannot give it its socket";
  snprintf(path, sizeof path, "/proc/self/fd/%d", directory);
  return chown(path, (uid_t)-1, uid) == 0 && chmod(path, 0710) == 0 ? NULL : "cannot open its directory to it";
}

// What an instance connects to: a bootstrap of ours to its frames, a program that polls through its relay. Else nothing.
static const char *own_socket(const struct start *start) {
  if (start->relay == RELAY_OUT) return "a.sock";
  bool is_bootstrap = start->is_spare ? !waits_for_program(start) : start->start_line[0] != 0;
  return is_bootstrap ? "f.sock" : NULL;
}

// Where a relay takes connections of the data process, and of nobody else. It is made and given away in the run directory, which is
// ours alone, and only then put where the data process may have put anything: no other file is given away in its place.
static int listen_for_relay(int directory) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  snprintf(address.sun_path, sizeof address.sun_path, "%s/s.sock", place.run_dir);
  bool is_made = listener >= 0 && bind(listener, (struct sockaddr *)&address, sizeof address) == 0;
  bool is_there = is_made && chmod(address.sun_path, 0600) == 0 && (!place.is_root || lchown(address.sun_path, place.owner, (gid_t)-1) == 0) &&
                  listen(listener, 256) == 0 && renameat(AT_FDCWD, address.sun_path, directory, "s.sock") == 0;
  int why = errno;
  if (is_made && !is_there) unlink(address.sun_path);
  if (!is_there && listener >= 0) close(listener);
  errno = why;
  return is_there ? listener : -1;
}

// The data process made it: it could have moved somebody else's there, whose group and mode would be changed.
static int open_own_directory(const char *id) {
  struct stat seen;
  int found = open_instance_directory(&place, id);
  if (found < 0 || (fstat(found, &seen) == 0 && seen.st_uid == place.owner)) return found;
  close(found);
  errno = EPERM;
  return -1;
}

// The function's output is connected and its start line written before there is a process of it.
const char *open_handles(const struct start *start, struct handles *child, int *own, int *line_end, uid_t uid) {
  int line[2] = {-1, -1}, pair[2] = {-1, -1};
  *child = (struct handles){-1, -1, -1, -1, uid};
  int directory = open_own_directory(start->id);
  if (directory < 0) return "cannot open its socket directory";
  child->output = connect_output(directory);
  const char *wrong = child->output < 0 ? "cannot connect its log socket" : NULL;
  if (wrong == NULL && place.tier != TIER_NONE && uid != 0) wrong = give_sockets(directory, own_socket(start), uid);
  if (wrong == NULL && start->relay == RELAY_IN && (child->relay = listen_for_relay(directory)) < 0) wrong = "cannot listen for its relay";
  int why = errno;
  close(directory);
  errno = why;
  if (wrong != NULL) return wrong;
  if (pipe2(line, O_CLOEXEC) != 0) return "cannot make its start pipe";
  child->input = line[0];
  *line_end = line[1];
  fcntl(line[1], F_SETFL, O_NONBLOCK);
  if (!start->is_spare) {
    ssize_t written = write(line[1], start->start_line, strlen(start->start_line));
    close(line[1]);
    *line_end = -1;
    if (written != (ssize_t)strlen(start->start_line)) return "cannot write its start line";
  }
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return "cannot make its control socket";
  child->control = pair[0];
  *own = pair[1];
  return NULL;
}

void close_handles(struct handles handles) {
  if (handles.control >= 0) close(handles.control);
  if (handles.input >= 0) close(handles.input);
  if (handles.output >= 0) close(handles.output);
  if (handles.relay >= 0) close(handles.relay);
}
