// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

// line is a line of kernels. The newest build of each line is tested.
type line struct{ series, architecture string }

// String names the line.
func (l line) String() string { return l.series + " " + l.architecture }

// supported are the lines that docs/kernels.md lists as tested. 7 stands for the newest release.
var supported = []line{
	{"5.10", "amd64"},
	{"6.1", "amd64"},
	{"6.12", "amd64"},
	{"6.18", "amd64"},
	{"7", "amd64"},
	{"6.1", "arm64"},
	{"6.12", "arm64"},
}

// modules are the modules that the tests need. Debian builds them into some kernels, and as modules for others.
var modules = []string{
	"veth", "bridge", "dummy", "ifb", "sch_netem", "loop", "mq-deadline", "overlay", "bonding", "macvlan", "8021q", "zram", "lzo-rle",
	"nf_conntrack_netlink", "nf_tables", "nft_chain_nat", "nft_nat", "nft_counter", "nft_limit", "nft_reject", "nft_reject_inet", "nft_reject_ipv4", "nft_reject_ipv6",
}
