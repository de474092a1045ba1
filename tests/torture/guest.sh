#!/bin/sh
# Makes a small guest and runs the launchers' contract in it, under control groups of version 2: QEMU's software emulation, a
# kernel of Debian's, an initramfs of busybox, this checkout's Node, sources and sandd. Prints what the guest says; exit 0 when
# the contract holds there. Usage: guest.sh <kernel> <directory to work in> <node program> [directory of packages]
# With packages (Debian's systemd and what it depends on) systemd is the guest's first process, and besides the contract the
# unit of docs/recipes/systemd.md is tried.
# Needs qemu-system-x86, busybox-static and cpio. Called by tests/contract/sandd-cgroup2.contract.test.ts.
set -eu
kernel=$1 work=$2 node=$3 packages=${4:-}
checkout=$(cd -- "$(dirname -- "$0")/../.." && pwd)
root=$work/root
rm -rf "$root"
mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib" "$root/usr/lib64" "$root/usr/share" "$root/etc" "$root/dev" "$root/proc" "$root/sys" "$root/tmp" "$root/new" "$root/opt" "$root/y"
for top in bin sbin lib lib64; do ln -s "usr/$top" "$root/$top"; done
[ -z "$packages" ] || for each in "$packages"/*.deb; do
  dpkg-deb --fsys-tarfile "$each" | tar -x --keep-directory-symlink --exclude='./usr/share/doc' --exclude='./usr/share/man' --exclude='./usr/share/locale' -C "$root"
done
cp "$(command -v busybox)" "$root/usr/bin/busybox"
for applet in $("$root/usr/bin/busybox" --list); do [ -e "$root/usr/bin/$applet" ] || ln -s busybox "$root/usr/bin/$applet"; done
cp "$node" "$root/usr/bin/node"
ldd "$node" | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p; s/^\s*\(\/[^ ]*\) .*/\1/p' | while read -r library; do
  mkdir -p "$root/$(dirname "$library" | sed 's,^/lib,/usr/lib,')"
  cp -L --remove-destination "$library" "$root/$(echo "$library" | sed 's,^/lib,/usr/lib,')"
done
cp -r "$checkout/src" "$checkout/package.json" "$root/y/"
mkdir -p "$root/y/tests" "$root/y/native" "$root/y/runtimes"
cp -r "$checkout/tests/contract" "$checkout/tests/harness" "$root/y/tests/"
cp "$checkout/native/build/sandd" "$root/usr/bin/sandd"
printf 'root:x:0:0::/:/bin/sh\nguest:x:1000:1000::/tmp:/bin/sh\n' > "$root/etc/passwd"
printf 'root:x:0:\nguest:x:1000:\n' > "$root/etc/group"
cp "$checkout/tests/torture/guest-init.sh" "$root/init"
mkdir "$root/y/guest" && cp "$checkout"/tests/torture/guest-*.sh "$root/y/guest/"
[ -z "$packages" ] || "$checkout/tests/torture/guest-units.sh" "$checkout" "$root" "$node"
chmod 755 "$root/init"
(cd "$root" && find . | cpio -o -H newc 2> /dev/null | gzip -1) > "$work/initramfs"
rm -rf "$root"
exec qemu-system-x86_64 -M q35 -accel tcg,thread=multi -cpu max -smp 2 -m 2048 -nographic -no-reboot -nodefaults -serial stdio \
  -kernel "$kernel" -initrd "$work/initramfs" -append 'console=ttyS0 quiet panic=-1 no_timer_check rdinit=/init'
