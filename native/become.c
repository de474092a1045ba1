// `sandd become`: runs a program as another user, with at most the right to bind ports below 1024. Used by root's server to
// start its data process, which never has root's rights.
#define _GNU_SOURCE
#include "sandbox.h"
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool read_id(const char *text, uint32_t *id) {
  char *end;
  errno = 0;
  unsigned long value = strtoul(text, &end, 10);
  *id = (uint32_t)value;
  return text[0] >= '0' && text[0] <= '9' && *end == 0 && errno == 0 && value > 0 && value < UINT32_MAX;
}

static bool keep_only(bool may_bind) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  uint32_t kept = may_bind ? 1u << CAP_NET_BIND_SERVICE : 0;
  struct __user_cap_data_struct has[2] = {{kept, kept, kept}, {0, 0, 0}};
  if (syscall(SYS_capset, &header, has) != 0) return false;
  return !may_bind || prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0) == 0;
}

int run_as(int argc, char **argv) { // uid gid 0|1 program arguments
  uint32_t uid, gid;
  if (argc < 4 || !read_id(argv[0], &uid) || !read_id(argv[1], &gid)) {
    fputs("usage: sandd become <uid> <gid> <1: may bind ports below 1024> program [arguments]\n", stderr);
    return 2;
  }
  for (unsigned each = 0; each < 64; each++)
    if (each != CAP_NET_BIND_SERVICE && prctl(PR_CAPBSET_DROP, each, 0, 0, 0) != 0 && errno != EINVAL) {
      perror("cannot drop a capability");
      return 1;
    }
  if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 && setgroups(0, NULL) == 0 && setresgid(gid, gid, gid) == 0 && setresuid(uid, uid, uid) == 0 &&
      keep_only(strcmp(argv[2], "1") == 0) && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
    execv(argv[3], argv + 3);
  perror(argv[3]);
  return 1;
}
