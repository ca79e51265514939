#!/usr/bin/env bash
# Qt on Linux needs a few system libraries that a bare server lacks, and the tests two programs.
# Installs the missing ones where it may (Debian/Ubuntu as root); otherwise prints the one line to
# type and fails.
set -euo pipefail
[ "$(uname -s)" = Linux ] || exit 0

declare -A package_of=(
  [libEGL.so.1]=libegl1 [libGL.so.1]=libgl1 [libxkbcommon-x11.so.0]=libxkbcommon-x11-0
  [libxcb-cursor.so.0]=libxcb-cursor0 [libxcb-icccm.so.4]=libxcb-icccm4 [libxcb-image.so.0]=libxcb-image0
  [libxcb-keysyms.so.1]=libxcb-keysyms1 [libxcb-render-util.so.0]=libxcb-render-util0
  [libxcb-shape.so.0]=libxcb-shape0 [libdbus-1.so.3]=libdbus-1-3 [libfontconfig.so.1]=libfontconfig1
  [libpulse.so.0]=libpulse0
)
known=$(PATH="$PATH:/sbin:/usr/sbin" ldconfig -p)
missing=()
for library in "${!package_of[@]}"; do
  grep -qF "$library" <<<"$known" || missing+=("${package_of[$library]}")
done
# Real windows are tested and photographed on a virtual screen.
command -v Xvfb >/dev/null || missing+=(xvfb)
# The test that nothing leaves the machine watches the program's system calls.
command -v strace >/dev/null || missing+=(strace)
fc-list 2>/dev/null | grep -q . || missing+=(fonts-dejavu-core)
[ ${#missing[@]} -eq 0 ] && exit 0

line="apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Installing what Qt and the tests need: ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
  echo "Qt and the tests need packages that are missing here. Please type:  sudo sh -c '$line'" >&2
  exit 1
fi
