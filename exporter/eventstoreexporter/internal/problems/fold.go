// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package problems

import (
	"fmt"
	"maps"
	"slices"
)

// manyPeers is the number of peers above which the same problem with each of them becomes one problem.
const manyPeers = 10

// fold merges problems that differ by their peer only, if there are more than manyPeers: that a process reaches nobody is one line, not
// one per peer.
func fold(k *kind, list []*Problem) []*Problem {
	if !slices.Contains(k.by, "address") {
		return list
	}
	groups := map[string][]*Problem{}
	for _, p := range list {
		key := withoutPeer(p.Values)
		groups[key] = append(groups[key], p)
	}
	var folded []*Problem
	for _, p := range list {
		group := groups[withoutPeer(p.Values)]
		switch {
		case len(group) <= manyPeers:
			folded = append(folded, p)
		case group[0] == p: // once per group
			folded = append(folded, foldAll(group))
		}
	}
	return folded
}

func foldAll(group []*Problem) *Problem {
	all := *group[0]
	all.Values, all.Peers = maps.Clone(all.Values), len(group)
	delete(all.Values, "address")
	delete(all.Values, "port")
	for _, p := range group[1:] {
		all.Count += p.Count
		all.Before += p.Before
		all.First = min(all.First, p.First)
		if p.Last >= all.Last {
			all.Last, all.Sample = p.Last, p.Sample
		}
	}
	return &all
}

// withoutPeer returns a key for the values of a problem without its peer.
func withoutPeer(v map[string]string) string {
	v = maps.Clone(v)
	delete(v, "address")
	delete(v, "port")
	return fmt.Sprint(v)
}

// echoes are the kinds that are consequences of a failed connection.
var echoes = []string{"tcp_reset", "tcp_retransmit"}

// withoutEchoes leaves out resets and retransmits of connections whose failure is a problem already.
func withoutEchoes(list []*Problem) []*Problem {
	failed := map[string]bool{}
	for _, p := range list {
		if p.Kind == "connection_failed" || p.Kind == "connection_aborted" {
			failed[between(p.Values)] = true
		}
	}
	return slices.DeleteFunc(list, func(p *Problem) bool {
		return slices.Contains(echoes, p.Kind) && p.Values["address"] != "" && failed[between(p.Values)]
	})
}

// between returns a key for the process of a problem and its peer.
func between(v map[string]string) string {
	return fmt.Sprintf("%q %q %q %q %q", v["command"], v["unit"], v["container"], v["address"], v["port"])
}
