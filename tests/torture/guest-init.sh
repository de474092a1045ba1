#!/bin/busybox sh
# The first process of the guest that guest.sh makes: a root that can be changed, control groups of version 2, then the
# contract as root (tier strong), and as an ordinary user whom a part of them is delegated (tier user). Powers off. With
# systemd in the guest it only makes the root.
if [ ! -e /is-new ]; then
  mount -t tmpfs -o mode=755,size=1g tmpfs /new
  for each in usr bin sbin lib lib64 etc opt y init; do cp -a /$each /new/; done
  mkdir -p /new/dev /new/proc /new/sys /new/tmp /new/var /new/run
  touch /new/is-new
  # Then what follows is guest-systemd.sh.
  [ ! -x /usr/lib/systemd/systemd ] || exec switch_root /new /usr/lib/systemd/systemd
  exec switch_root /new /init
fi
export PATH=/usr/bin HOME=/tmp
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/shm && mount -t tmpfs tmpfs /dev/shm
mkdir -p /dev/pts && mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t cgroup2 -o nsdelegate cgroup2 /sys/fs/cgroup
ip link set lo up
echo "guest: kernel $(uname -r), controllers $(cat /sys/fs/cgroup/cgroup.controllers)"
sandd probe | sed 's/^/guest: probe /'
sh /y/guest/guest-run.sh root strong
# As systemd does with Delegate=yes: a group of the user's own, in which that user's processes are.
echo '+memory +pids +cpu' > /sys/fs/cgroup/cgroup.subtree_control
mkdir /sys/fs/cgroup/guest.service
chown guest:guest /sys/fs/cgroup/guest.service /sys/fs/cgroup/guest.service/cgroup.procs /sys/fs/cgroup/guest.service/cgroup.subtree_control /sys/fs/cgroup/guest.service/cgroup.threads
cat > /tmp/delegated.sh <<'END'
sandd probe | sed 's/^/guest: delegated probe /'
SANDD_GROUPS=1 sh /y/guest/guest-run.sh delegated user
END
sh -c 'echo 0 > /sys/fs/cgroup/guest.service/cgroup.procs && exec su -s /bin/sh guest -c "sh /tmp/delegated.sh"' 2>&1
echo "guest: left $(find /sys/fs/cgroup -name 'yunmen-*' | wc -l)"
echo 'guest: end'
poweroff -f
