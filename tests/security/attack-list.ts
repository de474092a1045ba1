// The attacks on instances by name. Each is a function of attacks/<subject>.py; instances.security.test.ts runs them.

/**
 * Where an attack must fail. sandboxes: in user and strong, and it succeeds in none. strong: in strong alone. always: in
 * every tier, by a protection that is not the tier's; its positive control is the same code outside of the platform, as a
 * plain Python that talks to a listener which guards nothing.
 */
type Held = 'sandboxes' | 'strong' | 'always';
/**
 * Without it the attack does not succeed in none either. landlock: of version 6. resources: root may pass limits
 * (CAP_SYS_RESOURCE). linux-6.17: the kernel has the calls that this one brought. A path: the kernel has what is told of there.
 */
type Need = 'root' | 'landlock' | 'resources' | 'linux-6.17' | `/${string}`;

export type Attack = {
  readonly title: string;
  readonly subject: string;
  readonly act: string;
  readonly held: Held;
  readonly needs: readonly Need[];
  /** It is the user of an instance that holds it: in tier restricted of an ordinary user, where all have the same, it succeeds. */
  readonly needsOwnUser: boolean;
  /** small: of 128 MB, else of 512. */
  readonly isSmall: boolean;
};

type More = {
  readonly held?: Held;
  readonly needs?: readonly Need[];
  readonly needsOwnUser?: boolean;
  readonly isSmall?: boolean;
};
type Row = readonly [title: string, act: string, more?: More];

const root: More = { needs: ['root'] };
const always: More = { held: 'always' };
const small: More = { isSmall: true };
const ownUser: More = { needsOwnUser: true };

const rows: Readonly<Record<string, readonly Row[]>> = {
  files: [
    ['reads the code of another function', 'read_code_of_another'],
    ["reads another function's /tmp", 'read_tmp_of_another'],
    ["reads another function's /tmp through /proc", 'read_tmp_through_proc'],
    ["reads another function's /dev/shm", 'read_shared_memory_of_another'],
    ['writes its own code', 'write_own_code'],
    ['writes its own code through a descriptor', 'write_own_code_by_descriptor'],
    ['writes the code of another function', 'write_code_of_another'],
    ['reads a file of the host', 'read_host_file'],
    ['writes into a directory of the host', 'write_host_file'],
    ["reads the server's access key", 'read_key_of_server'],
    ["reads the server's database", 'read_database_of_server'],
    ['lists the other instances', 'list_other_instances'],
    ['writes into the system', 'write_system', root],
    ["plants a file in the interpreter's library", 'plant_in_interpreter', root],
    ["changes who may read the server's files by a list (ACL)", 'list_who_may_read'],
    ['makes a device', 'make_device', root],
    ['follows a symbolic link out of /tmp', 'follow_symlink_out'],
    ['makes a hard link to a file of the host', 'hard_link_to_host_file'],
    ['becomes another user by a set-user-id program', 'become_another_by_setuid', root],
    ['leaves its root by chroot', 'leave_root_by_chroot', root],
    ["opens the kernel's memory", 'read_kernel_memory', { needs: ['root', '/dev/mem'] }],
    ["opens the kernel's log", 'read_kernel_log', root],
    ['opens a disk', 'open_disk', root],
    ['writes settings of the kernel in /proc/sys', 'write_kernel_settings', root],
    ['opens the trigger of sysrq', 'trigger_sysrq', { needs: ['root', '/proc/sysrq-trigger'] }],
    ['writes into /sys', 'write_sys', root],
    ['leaves its control group', 'leave_control_group', root],
  ],
  processes: [
    ['sees processes of the host', 'see_host_processes'],
    ['reads the environment of another instance', 'read_environment_of_another'],
    ["takes another function's credentials", 'use_credentials_of_another'],
    ['reads the memory of another instance', 'read_memory_of_another'],
    ['reads the memory of another instance by process_vm_readv', 'read_memory_by_system_call'],
    ['traces another instance', 'trace_another', root],
    ['lets itself be traced', 'trace_own_child'],
    ['signals another instance', 'signal_another'],
    ['signals the server', 'signal_server'],
    ['signals its own first process', 'signal_own_first_process', { needs: ['landlock'] }],
    ['continues its own first process', 'continue_own_first_process', { needs: ['landlock'] }],
    ['sets the limits of its own first process', 'limit_own_first_process'],
    ['sets the scheduling of its own first process', 'slow_own_first_process'],
    ['sets the priority of all that is its user', 'slow_all_of_own_user'],
    ["takes a descriptor of the server's", 'take_descriptor_of_another', root],
    ['reads and sets limits of another instance', 'change_limits_of_another'],
    ['sets the priority of another instance', 'change_priority_of_another'],
    ['finds the System V memory of another instance', 'find_shared_memory_of_another'],
  ],
  kernel: [
    ['has capabilities', 'has_capabilities', root],
    ['becomes root', 'become_root', root],
    ['may gain rights by programs', 'can_gain_rights'],
    ['nests a user namespace by unshare', 'nest_user_namespace'],
    ['nests a user namespace by clone', 'clone_user_namespace'],
    ['nests a user namespace by clone3', 'clone3_user_namespace'],
    ['unshares anything at all', 'unshare_files'],
    ['mounts', 'mount_memory', root],
    ['unmounts', 'unmount', root],
    ['takes a mount tree by open_tree', 'clone_mount_tree', root],
    ['enters a namespace of the server', 'enter_namespace_of_another', root],
    ['enters its own namespace anew', 'enter_own_namespace_anew', root],
    ['opens files by handle', 'open_by_handle', root],
    ['writes a keyring', 'write_keyring'],
    ['reads a keyring', 'read_keyring'],
    ["changes the clock's rate", 'change_clock', root],
    ['sets the clock', 'set_clock', root],
    ['names the host', 'name_host', root],
    ['loads a module', 'load_module', { needs: ['root', '/proc/modules'] }],
    ['loads a module from a file', 'load_module_from_file', { needs: ['root', '/proc/modules'] }],
    ['loads another kernel by kexec', 'load_kernel', { needs: ['root', '/sys/kernel/kexec_loaded'] }],
    ['restarts the machine', 'reboot', root],
    ['turns swap on', 'use_swap', { needs: ['root', '/proc/swaps'] }],
    ["reads the kernel's log by call", 'read_kernel_log_by_call', root],
    ['makes a bpf map', 'make_bpf_map', root],
    ['counts by perf', 'count_by_perf', root],
    ['handles page faults itself', 'handle_page_faults', root],
    ['uses io_uring', 'use_io_uring', root],
    ['changes its personality', 'change_personality'],
    ['types into a terminal by TIOCSTI', 'type_into_terminal'],
    ['types into a terminal by TIOCSTI with high bits', 'type_into_terminal_by_high_bits'],
    ['changes the line discipline of a terminal', 'change_line_discipline'],
    ['has what the console says written to its terminal', 'take_console'],
    ['hangs a terminal up', 'hang_terminal_up'],
    ["locks a terminal's settings", 'lock_terminal'],
    ['dumps core', 'dump_core'],
    ['opens raw sockets', 'send_raw_packets', root],
    ['opens sockets of protocols that hardly anybody uses', 'open_rare_protocols'],
    ['makes system calls that came after the filter was written', 'call_what_is_newer', { needs: ['linux-6.17'] }],
    ['captures packets', 'capture_packets', root],
    ['opens netlink beyond routes', 'talk_to_kernel_subsystems'],
    ['takes the processor by real-time scheduling', 'join_other_process_group', root],
    ['is spared when memory runs out', 'be_spared_by_the_kernel', { needs: ['resources'] }],
  ],
  endpoints: [
    ["connects to another instance's socket", 'impersonate_another', ownUser],
    ["says hello on another instance's socket", 'speak_as_another', always],
    ["plants a file beside another's socket", 'plant_beside_socket'],
    ['plants a file beside its own socket', 'plant_beside_own_socket'],
    ["connects to the launcher's socket", 'order_launcher', ownUser],
    ['takes the launcher over', 'take_launcher_over', always],
    ["reaches the host's abstract sockets", 'reach_abstract_socket', { needs: ['landlock'] }],
    ['connects twice', 'connect_twice', always],
    ['reuses its token', 'reuse_token', always],
    ['floods frames', 'flood_frames', always],
    ['sends a frame of four gigabytes', 'send_oversized_frame', always],
  ],
  resources: [
    ['makes more processes than it may', 'bomb_of_processes', { ...root, ...ownUser }],
    ['keeps more processes than it may', 'keep_processes', root],
    ['takes more memory than its function has', 'bomb_of_memory', small],
    ['takes more memory while its first process may open nothing', 'bomb_of_memory_unseen', small],
    ['takes more memory in its children', 'bomb_of_memory_by_children', small],
    ['takes more memory seventy processes below its own', 'bomb_of_memory_far_below', small],
    ['takes more memory as a shared mapping', 'bomb_of_shared_mapping', { held: 'strong', isSmall: true }],
    ['takes more memory as files without names', 'bomb_of_nameless_files', { held: 'strong', isSmall: true }],
    ['keeps more than its memory in /tmp', 'bomb_of_memory_in_tmp', { held: 'strong', isSmall: true }],
    ['fills the disk', 'bomb_of_disk'],
    ['fills /dev/shm', 'bomb_of_shared_memory'],
    ['makes files without end', 'bomb_of_files'],
    ['opens descriptors without end', 'bomb_of_descriptors'],
    ['locks memory', 'lock_memory', root],
    ['raises its priority', 'raise_priority', root],
  ],
};

export const attacks: readonly Attack[] = Object.entries(rows).flatMap(([subject, list]) =>
  list.map(([title, act, more]) => ({
    title,
    subject,
    act,
    held: more?.held ?? 'sandboxes',
    needs: more?.needs ?? [],
    needsOwnUser: more?.needsOwnUser ?? false,
    isSmall: more?.isSmall ?? false,
  })),
);
