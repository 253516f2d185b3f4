// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package common

import (
	"fmt"
	"net/netip"
	"unsafe"
)

// What every program shares.
type (
	// Record is what every record in the ring buffer begins with.
	Record = CommonRecord
	// Owner is a process as the BPF side saw it; Pid 0 is no process.
	Owner = CommonOwner
	// SocketSlot is what is known of a TCP socket.
	SocketSlot = CommonSocketSlot
	// Listening is a TCP listener, with what is known of its queue.
	Listening = CommonListening
	// Losses counts what one program could not deliver on one CPU, by LossCause.
	Losses = CommonLosses
	// EventWindow is the second under way of an event limit.
	EventWindow = CommonEventWindow
	// Sequence is the number that the last record of one CPU was given.
	Sequence = CommonSequence
	// CIDR is a key of the trie of networks that are excluded.
	CIDR = CommonCidr
	// Executable is a base name that is excluded, with a zero behind it.
	Executable = CommonExecutable
	// Ports has a bit for each port that is excluded.
	Ports = CommonPorts
)

// ListeningFate is what is found of a listener.
type ListeningFate = CommonListeningFate

// The values of ListeningFate.
const (
	ListeningExists   = CommonListeningFateLISTENING_EXISTS
	ListeningGone     = CommonListeningFateLISTENING_GONE
	ListeningExcluded = CommonListeningFateLISTENING_EXCLUDED
)

// Attribution is how the owner in a record was found: ebpf.attribution.
type Attribution = CommonAttribution

// The values of Attribution.
const (
	AttributionNone            = CommonAttributionATTRIBUTION_NONE
	AttributionSocket          = CommonAttributionATTRIBUTION_SOCKET
	AttributionReceivingSocket = CommonAttributionATTRIBUTION_RECEIVING_SOCKET
	AttributionCgroup          = CommonAttributionATTRIBUTION_CGROUP
	AttributionCurrent         = CommonAttributionATTRIBUTION_CURRENT
)

// Role is the side of a connection that was seen here.
type Role = CommonRole

// The values of Role.
const (
	RoleUnknown = CommonRoleROLE_UNKNOWN
	RoleClient  = CommonRoleROLE_CLIENT
	RoleServer  = CommonRoleROLE_SERVER
)

// The causes of lost records that the BPF side counts: indexes of Losses.ByCause.
const (
	LossRingFull  = CommonLossCauseLOSS_RING_FULL
	LossRateLimit = CommonLossCauseLOSS_RATE_LIMIT
	LossMapFull   = CommonLossCauseLOSS_MAP_FULL
	LossCauses    = CommonLossCauseLOSS_CAUSES
)

// RecordSize is the size of Record in bytes.
const RecordSize = int(unsafe.Sizeof(Record{}))

// MaxPrograms is one more than the highest number of a program in a Record. record.h has the same.
const MaxPrograms = 32

// View returns the record in raw as a T without copying it; ok is false when raw is too short for one.
// T has no pointers, and raw is aligned to 8 bytes, as records in the ring buffer are.
func View[T any](raw []byte) (record *T, ok bool) {
	var zero T
	if len(raw) < int(unsafe.Sizeof(zero)) {
		return nil, false
	}
	return (*T)(unsafe.Pointer(unsafe.SliceData(raw))), true
}

// RecordOf returns the header of a record. bpf2go gives each object types of its own for what all share; that they have one
// layout is tested.
func RecordOf[T any](header *T) *Record { return as[Record](header) }

// OwnerOf returns an owner in a record, or in the value of a map.
func OwnerOf[T any](owner *T) *Owner { return as[Owner](owner) }

// as returns what is there under another type of the same layout.
func as[To, From any](from *From) *To {
	var to To
	if unsafe.Sizeof(to) != unsafe.Sizeof(*from) {
		panic(fmt.Sprintf("a %T is no %T", *from, to))
	}
	return (*To)(unsafe.Pointer(from))
}

// Text returns the bytes of s before its first zero byte, without copying them.
func Text(s []int8) []byte {
	b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s))
	for i, c := range b {
		if c == 0 {
			return b[:i]
		}
	}
	return b
}

// Addr returns an address of the BPF side, which holds IPv4 in its v4-mapped form.
func Addr(octets [16]uint8) netip.Addr {
	return netip.AddrFrom16(octets).Unmap()
}
