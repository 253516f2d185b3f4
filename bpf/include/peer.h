/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Servers in the keys of series, for metrics by server. A map of counts has a key of a struct peer_series: a program's struct
 * series and a struct endpoint. Without metrics by server, the loader makes the key as short as the series, so that the server
 * costs nothing.
 */
#pragma once

#include "flow.h"
#include "sockets.h"

const volatile bool by_peer; /* whether metrics have a series per server */

struct endpoint {
	struct address address;
	__u16 port; /* 0: not known */
	__u16 pad[3];
};

/* Sets the server of a connection, if the role of this side is known. */
static __always_inline void set_server(struct endpoint *server, const struct flow *flow, __u8 role)
{
	if (!by_peer || !role)
		return;
	server->address = role == ROLE_SERVER ? flow->local : flow->remote;
	server->port = role == ROLE_SERVER ? flow->local_port : flow->remote_port;
}
