#!/bin/sh
# What the guest with systemd has besides: the server as it is installed, the unit of docs/recipes/systemd.md, and the units of
# the tests. Usage: guest-units.sh <checkout> <root of the guest> <node program>. Called by guest.sh.
set -eu
checkout=$1 root=$2 node=$3
server=$root/opt/yunmen units=$root/etc/systemd/system
mkdir -p "$server/native" "$units/yunmen.service.d"
cp -a "$checkout/bin" "$checkout/src" "$checkout/runtimes" "$checkout/package.json" "$server/"
cp -a "$checkout/native/build" "$checkout"/native/*.[ch] "$checkout/native/build.sh" "$server/native/"
"$node" -e '
  const { packages } = JSON.parse(require("node:fs").readFileSync(`${process.argv[1]}/package-lock.json`, "utf8"));
  for (const [path, { dev, optional, link }] of Object.entries(packages)) if (path !== "" && !dev && !optional && !link) console.log(path);
' "$checkout" | (cd "$checkout" && tar -c --exclude='*.map' -T -) | tar -x -C "$server"
ln -s /opt/yunmen/node_modules "$root/y/node_modules"
cp -r "$checkout/tests/torture" "$root/y/tests/"
echo 'yunmen:x:990:990::/var/lib/yunmen:/bin/sh' >> "$root/etc/passwd"
echo 'yunmen:x:990:' >> "$root/etc/group"
echo 0123456789abcdef0123456789abcdef > "$root/etc/machine-id"
sed -n '/^```ini$/,/^```$/{/^```/!p}' "$checkout/docs/recipes/systemd.md" > "$units/yunmen.service"
grep -q '^Delegate=' "$units/yunmen.service"
# The guest has no Node of the functions' version, and its console shows the log.
cat > "$units/yunmen.service.d/guest.conf" << 'END'
[Service]
Environment=YUNMEN_RUNTIME_FALLBACK=1
StandardOutput=append:/run/yunmen.log
StandardError=append:/run/yunmen.log
END
contract() { # <unit> <user> <tier>
  cat > "$units/$1.service" << END
[Service]
Type=oneshot
User=$2
Delegate=yes
TasksMax=infinity
Environment=HOME=/tmp SANDD_GROUPS=1
ExecStart=/bin/sh /y/guest/guest-run.sh $1 $3
StandardOutput=tty
StandardError=tty
END
}
contract delegated guest user
contract root root strong
cat > "$units/guest.service" << 'END'
[Service]
Type=oneshot
ExecStart=/bin/sh /y/guest/guest-systemd.sh
StandardOutput=tty
StandardError=tty
END
cat > "$units/default.target" << 'END'
[Unit]
Requires=basic.target
Wants=guest.service
After=basic.target
AllowIsolate=yes
END
