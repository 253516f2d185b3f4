#!/bin/sh
# Debian calls this with "remove" or "upgrade", rpm with the number of versions that stay.
set -e

case "$1" in
remove | 0) ;;
*) exit 0 ;;
esac

if [ -d /run/systemd/system ]; then
	systemctl --quiet disable --now otelcol-ebpf.service
fi
