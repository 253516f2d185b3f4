#!/bin/sh
# Debian calls this with "configure" and the version before, rpm with the number of installed versions.
set -e

case "$1" in
configure) before=$2 ;;
1) before= ;;
2) before=one ;;
*) exit 0 ;; # an aborted upgrade or removal: nothing has changed
esac

# In a container or an image there is no systemd to tell.
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload

# A new service is started by its administrator, after a look at the configuration. One that runs goes on with the new version,
# unless that would not start with the configuration: then the old one goes on.
[ -n "$before" ] && systemctl --quiet is-active otelcol-ebpf.service || exit 0
# A start of a oneshot waits for its end, and needs no D-Bus, which --wait would.
if systemd-run --quiet --collect --property=Type=oneshot --property=EnvironmentFile=-/etc/otelcol-ebpf/environment -- \
	/usr/bin/otelcol-ebpf validate --config=/etc/otelcol-ebpf/config.yaml; then
	systemctl restart otelcol-ebpf.service
else
	echo "otelcol-ebpf: the version before goes on, because the new one does not accept /etc/otelcol-ebpf/config.yaml." \
		"otelcol-ebpf validate --config=/etc/otelcol-ebpf/config.yaml says why. Correct it and run: systemctl restart otelcol-ebpf" >&2
fi
