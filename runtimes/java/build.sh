#!/bin/sh
# Builds build/bootstrap.jar with a JDK 17 or newer. Usage: build.sh [path of javac]. Called at the first need of a checkout
# (src/functions/java-bootstrap.ts) and before the package is published. The new jar replaces an old one in one step.
set -eu
javac=${1:-javac}
jar=$(dirname -- "$javac")/jar
[ "$javac" = javac ] && jar=jar
cd "$(dirname -- "$0")"
work=build/work.$$
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/classes" "$work/stubs" "$work/rehearsal" build/rehearsal
"$javac" --release 17 -encoding UTF-8 -nowarn -d "$work/stubs" stubs/javax/servlet/*.java
# Texts are joined without invokedynamic: each place would spin a class when it is first reached.
"$javac" --release 17 -encoding UTF-8 -nowarn -XDstringConcat=inline -d "$work/classes" src/yunmen/*.java
"$javac" --release 17 -encoding UTF-8 -nowarn -cp "$work/stubs" -d "$work/classes" bridge/yunmen/bridge/*.java
"$javac" --release 17 -encoding UTF-8 -nowarn -d "$work/rehearsal" rehearsal/rehearsal/*.java rehearsal/com/aliyun/fc/runtime/*.java
"$jar" --create --file "$work/rehearsal.jar" -C "$work/rehearsal" .
mv -f "$work/rehearsal.jar" build/rehearsal/rehearsal.jar
"$jar" --create --file "$work/bootstrap.jar" -C "$work/classes" .
mv -f "$work/bootstrap.jar" build/bootstrap.jar
