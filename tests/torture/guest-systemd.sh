# Runs as a unit in the guest with systemd: the contract in units with Delegate=yes, of an ordinary user and of root, then the unit of docs/recipes/systemd.md.
export PATH=/usr/bin:/usr/sbin HOME=/tmp
ip link set lo up
echo "guest: kernel $(uname -r), $(systemctl --version | head -n 1), controllers $(cat /sys/fs/cgroup/cgroup.controllers)"
systemctl start delegated.service
systemctl start root.service
systemctl start yunmen.service
sh /y/guest/guest-run.sh unit tests/torture/guest-unit.ts
systemctl stop yunmen.service
sed 's/^/guest: log /' /run/yunmen.log
systemctl show yunmen.service -p Result -p ActiveState | sed 's/^/guest: stopped /'
echo "guest: left $(find /sys/fs/cgroup -name 'yunmen*' | wc -l) groups, $(find /tmp -name 'yunmen-*' | wc -l) directories"
echo 'guest: end'
systemctl poweroff --force --force
