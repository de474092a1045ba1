// What an instance is made of: instance.c, root.c, rights.c, cgroups.c. Used by sandd's loop (server.h) and by probe.c.
#pragma once
#include "messages.h"
#include <sys/stat.h>
#include <sys/types.h>

enum {
  INSTANCES_MAX = 1024,
  SHOWN_ID = 10003,         // uid and gid that an instance sees as its own
  FIRST_UID = 100000,       // of the first range of users that find_first_uid tries; instances have one by their place
  FIRST_UID_LOW = 20000,
  PROCESSES_MAX = 1024,     // of one instance
  FILES_MAX = 16384,        // open files of one process
};

// -- cgroups.c: one group per server, one beside it per instance.
enum controller { MEMORY, PIDS, CPU, FREEZER, CONTROLLERS };
struct cgroups {
  int version;                             // 0: none to be had
  char group[CONTROLLERS][PATH_LIMIT / 2]; // "" when there is no such controller; all the same in version 2
  int lock;                                // held while the server lives
  char outside[PATH_LIMIT / 2];            // where the data process goes back to; "": it was never moved
  uint32_t weight_mb;                      // of the memory whose share of the processors each gets; 0: of its own
};
struct freezer { int state, members; const char *frozen, *thawed; }; // descriptors, -1 without a freezer
bool cgroups_open(struct cgroups *groups, const char *name); // false: version is 0 and `cgroups_why` says why
extern char cgroups_why[256];
struct size { uint32_t memory_mb, cpu, pids; }; // cpu in thousandths, 0: no limit
const char *cgroups_join(const struct cgroups *groups, const char *id, struct size size, struct freezer *freezer);
const char *cgroups_limit(const struct cgroups *groups, const char *id, struct size size); // anew; it has joined
bool cgroups_have_classes(const struct cgroups *groups); // instances can be put in the background
const char *cgroups_put(const struct cgroups *groups, const char *id, uint32_t memory_mb, bool is_background);
const char *cgroups_adopt(const struct cgroups *groups, pid_t pid); // the data process, with a weight of its own
void cgroups_outcome(const struct cgroups *groups, const char *id, uint64_t *peak_kb, bool *out_of_memory);
void cgroups_remove(const struct cgroups *groups, const char *id);
void cgroups_close(struct cgroups *groups);
int cgroups_clean(void); // ends and removes the groups of servers that are no more; how many there were

int64_t now_ms(void); // of a clock that nobody sets

// -- instance.c: from the clone to the program, and its first process afterwards.
struct place {
  enum tier tier;
  char run_dir[64];
  struct cgroups groups;
  void (*inside)(void); // NULL, or what runs instead of a program (the probe)
  uint32_t pids;
  bool is_root; // sandd itself is
  uid_t owner;  // the data process's user; ours unless it was told otherwise
  uid_t first_uid; // 0: instances have no user of their own
  gid_t owner_group;
};
// What the first process says to sandd, one message each: MAP_ME, RUNNING, BROKEN + text, ENDED + struct ending.
// And sandd to it: GO after MAP_ME, then what is wanted of it.
// RUNNING comes again of a spare that waited without a program, when it has one. WAITS: what such a process says first.
enum { MAP_ME = 'M', RUNNING = 'R', BROKEN = 'B', ENDED = 'E', WAITS = 'S', GO = 'G', TERMINATE = 'T', KILL = 'K', FREEZE_ALL = 'F', THAW_ALL = 'W', ASSIGNED = 'A', RUN_MORE = 'X' };
struct assigned { uint8_t word; uint32_t memory_mb; }; // to the first process of a spare
struct ending { uint8_t word, is_signal, value, out_of_memory; uint32_t peak_kb; }; // peak: of what was measured, 0 where nothing is
struct handles { int control, input, output, relay; uid_t uid; }; // relay: -1, or where a RELAY_IN takes connections; uid 0: no user of its own
static inline bool has_namespaces(enum tier tier) { return tier == TIER_USER || tier == TIER_STRONG; }
pid_t instance_clone(enum tier tier, int *pidfd); // 0 in the child
bool instance_map(enum tier tier, pid_t pid, uid_t uid); // asked for by MAP_ME
_Noreturn void instance_run(const struct start *start, const struct place *place, struct handles handles);
_Noreturn void give_up(const char *what, const char *which); // in an instance before its program: tells sandd why
void tell_failures_to(int descriptor); // give_up, from now on: not to sandd; -1: to nobody

// -- program.c: the program of a spare that was started without one.
static inline bool waits_for_program(const struct start *start) { return start->is_spare && start->program.argc == 0; }
void await_program(struct program *program, int started); // in the process that becomes it; what it points to stays

// -- tree.c: what descends from an instance's first process; called in it.
struct tree_size { uint64_t pages; int threads; int64_t exact_until; clock_t clock_until; bool is_too_deep; }; // pages that the processes have for themselves; some were not looked at
// is_all_ours: all of /proc is (threads are not counted then). is_exact: what they share counts once, which takes longer. user: whose they are; 0: ours
struct tree_size tree_measure(bool is_all_ours, bool is_exact, uid_t user);
void tree_signal(int number);
void tree_end(pid_t program); // returns when nothing is left, or after five seconds

// -- relay.c: the way into its network.
int relay_listen(const struct start *start); // RELAY_OUT: on its port; -1 when that cannot be
_Noreturn void relay_run(const struct start *start, int listening);

// -- root.c: what an instance sees.
#define waiting_code "/opt" // while a spare of an ordinary user waits: the code of all functions
void build_root(const struct start *start, const struct place *place);
bool is_under_usr(const char *path);

// -- rights.c: what an instance may do.
void confine_files(const struct start *start); // of all that the caller starts, too
void drop_rights(enum tier tier);
void confine_signals(void);
int landlock_version(void);
// The steps of it that restricted.c takes, too.
enum calls { CALLS_OF_ALL, CALLS_AMONG_USERS, CALLS_OF_ONE_USER }; // each refuses more than the one before
void refuse_calls(enum calls calls);
void set_limits(void);
void limit(int what, uint64_t value);
void drop_bounding(void);

// The group of all instances, by which they may enter the directories that lead to their code, and nobody else may.
static inline gid_t shared_group(const struct place *place) { return place->first_uid == 0 ? 0 : place->first_uid + INSTANCES_MAX; }

// -- restricted.c: what takes the place of namespaces and of root.c in tier restricted.
uid_t find_first_uid(void); // of as many as there are instances, that we may become; 0: we may not
void restricted_prepare(const struct start *start, const struct place *place, uid_t uid);
void restricted_drop(const struct start *start, const struct place *place, uid_t uid);
void become(uid_t uid, gid_t gid, gid_t shared); // for good; shared 0: no group besides
void restricted_hold(void);
void restricted_signal(uid_t uid, int number);
bool restricted_fills_disk(const struct place *place, const char *id);
void restricted_end(const struct place *place, const char *id, uid_t uid, pid_t program);

// -- become.c
int run_as(int argc, char **argv);

// -- probe.c
int probe(void);

// -- allowed.c: which directories of the host may be shown.
const char *allow_directory(const char *path, const struct place *place); // what is wrong, NULL when it is allowed from now on
int open_allowed(const char *path); // a descriptor (O_PATH) of what is allowed and reached through no link, else -1

// -- files.c
bool write_file(const char *path, const char *text);
int open_instance_directory(const struct place *place, const char *id); // of its sockets (O_PATH); made by the data process
int open_beneath(int directory, const char *path, int flags); // through no link
bool is_same_file(int one, const struct stat *other);
int open_directory(int parent, const char *name); // through no link, one that its owner may not read too
void remove_tree(const char *path, int64_t until);  // with all levels, as far as it comes by then (of now_ms)
void close_between(unsigned from, unsigned to);     // descriptors, both included
