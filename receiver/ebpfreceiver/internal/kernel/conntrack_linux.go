// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Attribute types of ctnetlink, without the flag for nested attributes.
const (
	tupleOriginal, tupleReply  = nl.CTA_TUPLE_ORIG, nl.CTA_TUPLE_REPLY
	tupleAddresses, tuplePorts = nl.CTA_TUPLE_IP, nl.CTA_TUPLE_PROTO
	portsProtocol              = nl.CTA_PROTO_NUM
	portsSource, portsTarget   = nl.CTA_PROTO_SRC_PORT, nl.CTA_PROTO_DST_PORT
	source4, target4           = nl.CTA_IP_V4_SRC, nl.CTA_IP_V4_DST
	source6, target6           = nl.CTA_IP_V6_SRC, nl.CTA_IP_V6_DST
	nestedTypes                = unix.NLA_F_NESTED
)

// attributeTypes masks the flags out of an attribute's type.
const attributeTypes = ^uint16(unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)

// conntrackCount exists in every network namespace if the kernel tracks connections. If it does not exist, a request to ctnetlink
// would load the module.
const conntrackCount = "/proc/sys/net/netfilter/nf_conntrack_count"

// NetworkNamespace returns the inode number of this process's network namespace, 0 if it is not known.
func NetworkNamespace() uint32 {
	var stat unix.Stat_t
	if unix.Stat("/proc/self/ns/net", &stat) != nil {
		return 0
	}
	return uint32(stat.Ino)
}

// TracksConnections reports whether the kernel tracks connections, and has any in this process's network namespace.
func TracksConnections() bool {
	count, err := os.ReadFile(conntrackCount)
	return err == nil && strings.TrimSpace(string(count)) != "0"
}

// Translated returns the server to which the kernel sends a connection instead of the server that the client asked for (DNAT); ok is
// false if the kernel does not translate it, or no longer tracks it. The namespace is an inode number, 0 for this process's own;
// pid is a process that may be in it.
func Translated(namespace, pid uint32, protocol uint8, client, server netip.AddrPort) (to netip.AddrPort, ok bool, err error) {
	if _, err := os.Stat(conntrackCount); err != nil {
		return to, false, nil // nothing is tracked
	}
	s, err := conntrackSocket(namespace, pid)
	if s == nil || err != nil {
		return to, false, err
	}
	defer s.Close()
	family := uint8(unix.AF_INET)
	if server.Addr().Is6() {
		family = unix.AF_INET6
	}
	// The kernel marks the answer as one of several. Only an acknowledgement ends it.
	request := nl.NewNetlinkRequest(int(netlink.ConntrackTable)<<8|nl.IPCTNL_MSG_CT_GET, unix.NLM_F_ACK)
	request.Sockets = map[int]*nl.SocketHandle{unix.NETLINK_NETFILTER: {Socket: s}}
	request.AddData(&nl.Nfgenmsg{NfgenFamily: family, Version: nl.NFNETLINK_V0})
	request.AddData(tuple(protocol, client, server))
	messages, err := request.Execute(unix.NETLINK_NETFILTER, 0)
	if errors.Is(err, unix.ENOENT) {
		return to, false, nil
	}
	if err != nil {
		return to, false, fmt.Errorf("ask conntrack for a connection: %w", err)
	}
	for _, message := range messages {
		if to, ok := answerer(message, client, server); ok {
			return to, true, nil
		}
	}
	return to, false, nil
}

// conntrackSocket returns a netlink socket in a network namespace; nil if the namespace cannot be found.
func conntrackSocket(namespace, pid uint32) (*nl.NetlinkSocket, error) {
	at := netns.None()
	if namespace != 0 {
		file := findNamespace(namespace, pid)
		if file == nil {
			return nil, nil
		}
		defer file.Close()
		at = netns.NsHandle(file.Fd())
	}
	s, err := nl.GetNetlinkSocketAt(at, netns.None(), unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	if err := s.SetReceiveTimeout(&unix.Timeval{Sec: 1}); err != nil {
		s.Close()
		return nil, fmt.Errorf("limit the time for an answer: %w", err)
	}
	return s, nil
}

// findNamespace opens a network namespace by its inode number: that of a process, or a mounted one, as for containers and
// `ip netns`. It returns nil if it finds none that it may open.
func findNamespace(inode, pid uint32) *os.File {
	if pid != 0 {
		if file := openNamespace(fmt.Sprintf("/proc/%d/ns/net", pid), inode); file != nil {
			return file
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	root := fmt.Sprintf(" net:[%d] ", inode)
	for line := range strings.Lines(string(mounts)) {
		if !strings.Contains(line, root) {
			continue
		}
		if fields := strings.Fields(line); len(fields) > 4 {
			if file := openNamespace(fields[4], inode); file != nil {
				return file
			}
		}
	}
	return nil
}

func openNamespace(path string, inode uint32) *os.File {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	var stat unix.Stat_t
	if unix.Fstat(int(file.Fd()), &stat) != nil || stat.Ino != uint64(inode) {
		_ = file.Close()
		return nil
	}
	return file
}

// tuple is the direction from a client to a server.
func tuple(protocol uint8, client, server netip.AddrPort) *nl.RtAttr {
	source, target := source4, target4
	if server.Addr().Is6() {
		source, target = source6, target6
	}
	t := nl.NewRtAttr(tupleOriginal|nestedTypes, nil)
	addresses := t.AddRtAttr(tupleAddresses|nestedTypes, nil)
	addresses.AddRtAttr(source, client.Addr().AsSlice())
	addresses.AddRtAttr(target, server.Addr().AsSlice())
	ports := t.AddRtAttr(tuplePorts|nestedTypes, nil)
	ports.AddRtAttr(portsProtocol, []byte{protocol})
	ports.AddRtAttr(portsSource, binary.BigEndian.AppendUint16(nil, client.Port()))
	ports.AddRtAttr(portsTarget, binary.BigEndian.AppendUint16(nil, server.Port()))
	return t
}

// answerer returns the server that answers the client of a connection; ok is false if that is the server which the client asked
// for, or if the message is about another connection.
func answerer(message []byte, client, server netip.AddrPort) (to netip.AddrPort, ok bool) {
	const header = 4 // struct nfgenmsg
	if len(message) < header {
		return to, false
	}
	attributes := attributesOf(message[header:])
	from, target := endsOf(attributes[tupleOriginal])
	if from != client || target != server {
		return to, false
	}
	to, _ = endsOf(attributes[tupleReply])
	return to, to.IsValid() && to != server
}

// endsOf returns the source and the target of a tuple.
func endsOf(tuple []byte) (source, target netip.AddrPort) {
	parts := attributesOf(tuple)
	addresses, ports := attributesOf(parts[tupleAddresses]), attributesOf(parts[tuplePorts])
	end := func(ipv4, ipv6, port uint16) netip.AddrPort {
		octets, number := addresses[ipv4], ports[port]
		if octets == nil {
			octets = addresses[ipv6]
		}
		address, ok := netip.AddrFromSlice(octets)
		if !ok || len(number) != 2 {
			return netip.AddrPort{}
		}
		return netip.AddrPortFrom(address, binary.BigEndian.Uint16(number))
	}
	return end(source4, source6, portsSource), end(target4, target6, portsTarget)
}

// attributesOf returns netlink attributes by their types.
func attributesOf(b []byte) map[uint16][]byte {
	parsed, err := nl.ParseRouteAttr(bytes.Clone(b))
	if err != nil {
		return nil
	}
	attributes := make(map[uint16][]byte, len(parsed))
	for _, a := range parsed {
		attributes[a.Attr.Type&attributeTypes] = a.Value
	}
	return attributes
}
