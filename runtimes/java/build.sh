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
mkdir -p "$work/classes" "$work/stubs"
"$javac" --release 17 -encoding UTF-8 -nowarn -d "$work/stubs" stubs/javax/servlet/*.java
"$javac" --release 17 -encoding UTF-8 -nowarn -d "$work/classes" src/yunmen/*.java
"$javac" --release 17 -encoding UTF-8 -nowarn -cp "$work/stubs" -d "$work/classes" bridge/yunmen/bridge/*.java
"$jar" --create --file "$work/bootstrap.jar" -C "$work/classes" .
mv -f "$work/bootstrap.jar" build/bootstrap.jar
