// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package problems

import (
	"fmt"
	"maps"
	"slices"
)

// manyPeers is the number of peers above which the same problem with each of them becomes one problem.
const manyPeers = 5

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

// withoutEchoes leaves out consequences of other problems: resets and retransmits of a connection whose failure is a problem already,
// packets to the port that a process of this host finds closed, and the signal of a process that was killed for lack of memory.
func withoutEchoes(list []*Problem) []*Problem {
	listed := map[string]bool{}
	for _, p := range list {
		switch p.Kind {
		case "connection_failed":
			listed[between(p.Values)], listed[peerKey(p.Values)] = true, true
		case "connection_aborted":
			listed[between(p.Values)] = true
		case "oom_kill":
			listed[ownerKey(p.Values)] = true
		}
	}
	return slices.DeleteFunc(list, func(p *Problem) bool {
		switch p.Kind {
		case "tcp_reset", "tcp_retransmit":
			return p.Values["address"] != "" && (listed[between(p.Values)] || p.Values["reason"] == "no_socket" && listed[peerKey(p.Values)])
		case "closed_port":
			return listed[peerKey(p.Values)]
		case "killed":
			return listed[ownerKey(p.Values)]
		}
		return false
	})
}

// ownerKey is a key for the process of a problem, peerKey for its peer, and between for both.
func ownerKey(v map[string]string) string {
	return fmt.Sprintf("of %q %q %q", v["command"], v["unit"], v["container"])
}

func peerKey(v map[string]string) string { return fmt.Sprintf("at %q %q", v["address"], v["port"]) }

func between(v map[string]string) string { return ownerKey(v) + " " + peerKey(v) }
