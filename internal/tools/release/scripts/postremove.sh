#!/bin/sh
# Debian calls this with "remove", "purge" or "upgrade", rpm with the number of versions that stay.
set -e

case "$1" in
remove | purge | 0) ;;
*) exit 0 ;;
esac

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi

# The service's data. As its user is dynamic, systemd keeps the folders in private ones, and links them.
if [ "$1" = purge ]; then
	rm -rf /var/lib/otelcol-ebpf /var/lib/private/otelcol-ebpf /var/log/otelcol-ebpf /var/log/private/otelcol-ebpf
fi
