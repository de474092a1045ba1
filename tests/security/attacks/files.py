# Attacks on files: of the host, of the server, of other functions.
import os
import struct
import shutil
import subprocess
import sysconfig
import tempfile

import kit


def read_code_of_another(given):
    return given['secret'] in kit.read_text(given['victimCode'] + '/secret.txt')


def read_tmp_of_another(given):
    return given['secret'] in kit.read_text('%s/%s' % (given['victimTmp'], given['victimFile']))


def read_tmp_through_proc(given):
    return given['secret'] in kit.read_text('/proc/%d/root/tmp/%s' % (given['victimPid'], given['victimFile']))


def read_shared_memory_of_another(given):
    return given['secret'] in kit.read_text('/dev/shm/' + given['victimFile'])


def plant(directory):
    """Makes a file there and takes it away again."""
    mode = os.stat(directory).st_mode & 0o7777
    try:
        os.chmod(directory, mode | 0o200)
    except OSError:
        pass  # it may be writable all the same
    path = directory + '/yunmen-attack'
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    os.unlink(path)
    return path


def write_own_code(given):
    return plant(os.getcwd())


def write_own_code_by_descriptor(given):
    """Writable by a second name: the descriptor of the directory."""
    directory = os.open('.', os.O_RDONLY)
    return plant('/proc/self/fd/%d' % directory)


def write_code_of_another(given):
    return plant(given['victimCode'])


def read_host_file(given):
    return given['secret'] in kit.read_text(given['canary'])


def write_host_file(given):
    return plant(os.path.dirname(given['canary']))


def read_key_of_server(given):
    return kit.read_text(given['dataDir'] + '/credentials.json')


def read_database_of_server(given):
    return any(kit.read_text(path, 16).startswith('SQLite format 3') for path in given['databases'])


def list_other_instances(given):
    return given['victimId'] in os.listdir(given['runDir'] + '/i')


def write_system(given):
    return plant('/usr')


def plant_in_interpreter(given):
    """What lies there runs in every Python that starts later."""
    return plant(sysconfig.get_path('stdlib'))


def make_device(given):
    path = tempfile.mktemp(prefix='yunmen-device-', dir=kit.temporary)
    os.mknod(path, 0o060600, os.makedev(7, 0))
    os.unlink(path)
    return path


def follow_symlink_out(given):
    path = tempfile.mktemp(prefix='yunmen-link-', dir=kit.temporary)
    os.symlink(given['canary'], path)
    try:
        return given['secret'] in kit.read_text(path)
    finally:
        os.unlink(path)


def hard_link_to_host_file(given):
    path = tempfile.mktemp(prefix='yunmen-link-', dir=kit.temporary)
    os.link(given['canary'], path)
    os.unlink(path)
    return path


def become_another_by_setuid(given):
    path = tempfile.mktemp(prefix='yunmen-setuid-', dir=kit.temporary)
    shutil.copy('/usr/bin/id', path)
    try:
        os.chown(path, 4242, -1)
        os.chmod(path, 0o4755)
        return b'4242' in subprocess.check_output([path, '-u'])
    finally:
        os.unlink(path)


def leave_root_by_chroot(given):
    inner = tempfile.mkdtemp(prefix='yunmen-root-', dir=kit.temporary)

    def leave():
        os.chroot(inner)
        os.chdir('../../../../../../..')
        os.chroot('.')
        return given['secret'] in kit.read_text(given['canary'])

    try:
        return kit.in_child(leave)
    finally:
        os.rmdir(inner)


def read_kernel_memory(given):
    return kit.first_that_opens(['/dev/mem', '/dev/kmem', '/dev/port', '/proc/kcore'], os.O_RDONLY)


def read_kernel_log(given):
    """By its content: what opens may be a harmless file in that place."""
    path = kit.first_that_opens(['/dev/kmsg', '/proc/kmsg'], os.O_RDONLY | os.O_NONBLOCK)
    log = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return os.read(log, 8192)
    finally:
        os.close(log)


def open_disk(given):
    disks = sorted(os.listdir('/sys/block')) if os.path.isdir('/sys/block') else ['vda', 'sda', 'loop0']
    return kit.first_that_opens(['/dev/' + disk for disk in disks], os.O_RDONLY | os.O_NONBLOCK)


def write_kernel_settings(given):
    return kit.first_that_opens(['/proc/sys/kernel/core_pattern', '/proc/sys/kernel/hostname'], os.O_WRONLY)


def trigger_sysrq(given):
    return kit.first_that_opens(['/proc/sysrq-trigger'], os.O_WRONLY)


def write_sys(given):
    return kit.first_that_opens(
        ['/sys/kernel/mm/transparent_hugepage/enabled', '/sys/power/state', '/sys/bus/cpu/uevent', '/sys/kernel/uevent_helper'],
        os.O_WRONLY,
    )


def leave_control_group(given):
    paths = []
    for root, _, names in os.walk('/sys/fs/cgroup'):
        paths += [root + '/' + name for name in names if name in ('cgroup.procs', 'tasks', 'release_agent')]
        if len(paths) > 200:
            break
    paths += ['/proc/%s/cgroup.procs' % given['victimPid']]
    return kit.first_that_opens(paths, os.O_WRONLY)


def list_who_may_read(given):
    """A list that says what the mode says already: nothing changes, but it could have said more."""
    path = given['dataDir'] + '/credentials.json'
    listed = struct.pack('<IHHIHHIHHI', 2, 0x01, 6, 0xffffffff, 0x04, 0, 0xffffffff, 0x20, 0, 0xffffffff)
    os.setxattr(path, 'system.posix_acl_access', listed)
    return True
