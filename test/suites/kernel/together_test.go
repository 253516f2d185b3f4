// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
)

// together are the tests of connection, packet_drop and tcp. These programs share state of sockets, and each must report the
// same whether the others are on or off.
var together = []func(*testing.T){
	TestConnectionLinkLocal,
	TestConnectionLinkLocalFailed,
	TestConnectionUDPLinkLocal,
	TestConnectionUnixByRing,
	TestConnectionSubflows,
	TestConnectionTranslated,
	TestConnectionMetrics,
	TestConnectionListeners,
	TestConnectionHistograms,
	TestConnectionMetricTypes,
	TestConnectionMetricsWithoutEvents,
	TestConnectionBytes,
	TestConnectionRetransmits,
	TestConnectionReset,
	TestConnectionClosedByExit,
	TestConnectionDeferred,
	TestConnectionBytesAreThoseAcknowledged,
	TestConnectionEstablished,
	TestConnectionOnLoopbackHasBothSides,
	TestConnectionToDNSPortIsTCP,
	TestConnectionOfThreadIsItsProcess,
	TestConnectionOfMPTCPCountsOnce,
	TestConnectionsOfGoServerCountOnce,
	TestConnectionFailed,
	TestConnectionFailedFromChosenPort,
	TestConnectionFromTakenPort,
	TestUDPWithoutFreePort,
	TestConnectionOfKilledProcessIsAborted,
	TestConnectionWithoutFreePort,
	TestConnectionWithoutRoute,
	TestConnectionCauses,
	TestConnectionFailedAtOnce,
	TestConnectionEndCauses,
	TestConnectionCauseOfFullQueue,
	TestConnectionMetricsByPeer,
	TestConnectionLimitedByTheReceiver,
	TestConnectionZeroWindows,
	TestConnectionOutOfOrder,
	TestConnectionDuplicates,
	TestConnectionMerged,
	TestConnectionNotMerged,
	TestConnectionMergedAtTheStop,
	TestConnectionBytesWhileOpen,
	TestConnectionUDPConnect,
	TestConnectionUDPSend,
	TestConnectionUDPWithoutLocalAddress,
	TestConnectionUDPFailed,
	TestConnectionUDPRefused,
	TestConnectionUDPRefusedWhereTheSocketWasPassedOn,
	TestConnectionUDPRefusedOlderThanTheReceiver,
	TestConnectionUDPTooLargeForThePath,
	TestConnectionUDPPartlySent,
	TestConnectionUDPToUnspecifiedAddress,
	TestConnectionUDPSocketOlderThanTheReceiver,
	TestConnectionProtocols,
	TestConnectionUnix,
	TestConnectionUnixInterrupted,
	TestConnectionUnixLeavesOthersAlone,
	TestTCPResetOfClosedPort,
	TestTCPReset,
	TestTCPResetOfUnreadBytes,
	TestTCPResetAfterClose,
	TestTCPResetOfForgottenConnection,
	TestTCPResetByListener,
	TestTCPSegmentsThatAreLeftOut,
	TestTCPEventLimit,
	TestTCPRetransmits,
	TestTCPSegmentsTogether,
	TestTCPHandshakes,
	TestTCPRTT,
	TestTCPRTTInterval,
	TestPacketDropAtClosedSocket,
	TestPacketDropsLeaveOutControlOfLinksThatAreDown,
	TestPacketDropsLeaveOutFiltersOfRawSockets,
	TestPacketDropsLeaveOutOffersOfAddresses,
	TestPacketDropsLeaveOutGroupsOnLoopback,
	TestPacketDropByFilterOnTheWayIn,
	TestPacketDropByFilterOnTheWayOut,
	TestPacketDropOfEstablishedSegments,
	TestPacketDropHasFlags,
	TestPacketDropSizes,
	TestPacketDropsLeaveOutUnixAndNetlink,
	TestPacketDropsLeaveOutOrdinaryCloses,
	TestPacketDropsLeaveOutUnreadData,
	TestPacketDropAtFullListener,
	TestPacketDropOfSegments,
	TestPacketDropOfSegmentsForNobody,
	TestPacketDropOfFilteredAcknowledgements,
	TestPacketDropAtClosedWindow,
	TestPacketDropsLeaveOutDeferredAccepts,
	TestPacketDropsLeaveOutAcknowledgementsOfNoConnection,
	TestPacketDropOfFragments,
	TestPacketDropOfGroups,
	TestPacketDropOfFrames,
	TestPacketDropsLeaveOutPings,
	TestPacketDropAtClosedUDPPort,
	TestPacketDropAtFullSocket,
	TestConnectionOfPreforkedServer,
	TestConnectionsOfListenersOlderThanTheReceiver,
	TestConnectionsOlderThanTheReceiver,
	TestConnectionsOlderThanTheReceiverAndNotAccepted,
	TestConnectionOfProcessThatExecutes,
	TestExclude,
	TestExcludeSelf,
	TestAllBut,
	TestPacketDropsExcluded,
}

// apart are the tests of these programs that are not repeated with all three, with the reason.
var apart = map[string]string{
	"TestTCPIsOffByDefault":            "it tests a receiver without one of them",
	"TestConnectionBytesDuringScans":   "it tests a map that the others do not use, and takes long",
	"TestConnectionMetricsOfManyPeers": "it tests a map that the others do not use, and takes long",
	"TestConnectionPassedOn":           "it chooses the programs itself, with and without connection",
	"TestConnectionUDPManyPeers":       "it tests a map that the others do not use, and takes long",
	"TestPacketDropsOfHealthyTraffic":  "it takes long, and does not depend on the shared state of sockets",
}

// briefly are the tests of together that -short repeats: they depend on parts of a socket's state of two programs.
var briefly = []func(*testing.T){
	TestConnectionReset,
	TestConnectionRetransmits,
	TestTCPReset,
	TestTCPRetransmits,
	TestPacketDropAtFullListener,
}

// TestProgramsTogether repeats the tests of connection, packet_drop and tcp with all three programs switched on. Each
// test compares the events and metrics of its own program, exactly as it does when that program is alone.
func TestProgramsTogether(t *testing.T) {
	testnet.Require(t)
	tests := together
	if testing.Short() {
		tests = briefly
	}
	for _, test := range tests {
		t.Run(nameOf(test), func(t *testing.T) {
			testreceiver.Together(t)
			test(t)
		})
	}
}

// nameOf returns the name of a function of this package.
func nameOf(test func(*testing.T)) string {
	whole := runtime.FuncForPC(reflect.ValueOf(test).Pointer()).Name()
	return whole[strings.LastIndex(whole, ".")+1:]
}

// Each test of the three programs is listed.
func TestProgramsTogetherIsComplete(t *testing.T) {
	listed := map[string]bool{}
	for _, test := range together {
		listed[nameOf(test)] = true
	}
	for _, pattern := range []string{"connection_*_test.go", "packet_drop*_test.go", "tcp_*_test.go", "owner_test.go", "exclude_test.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, files, "%s", pattern)
		for _, name := range files {
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			for _, d := range file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Test") && apart[f.Name.Name] == "" {
					assert.True(t, listed[f.Name.Name], "%s of %s: list it in together, or in apart with the reason", f.Name.Name, name)
				}
			}
		}
	}
}
