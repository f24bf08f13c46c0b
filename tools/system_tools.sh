#!/usr/bin/env bash
# Chromium and strace are programs of the system. As root we install what is missing; otherwise we
# stop and say which command does.
set -euo pipefail
missing=()
command -v chromium >/dev/null || missing+=(chromium)
command -v strace >/dev/null || missing+=(strace)
[ ${#missing[@]} -eq 0 ] && exit 0
install="apt-get update && apt-get install --yes --no-install-recommends ${missing[*]}"
if [ "$(id -u)" -ne 0 ]; then
  echo "The tests need ${missing[*]}. Run: sudo sh -c '$install'" >&2
  exit 1
fi
echo "Installing ${missing[*]} …"
export DEBIAN_FRONTEND=noninteractive
sh -c "$install" >/dev/null
