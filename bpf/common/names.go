// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package common

// The maps that all programs share, by their names in every object.
const (
	MapCPUOffsets          = CommonMapEbpfCpuOffsets
	MapEventWindows        = CommonMapEbpfEventWindows
	MapExcludedCidrs       = CommonMapEbpfExcludedCidrs
	MapExcludedExecutables = CommonMapEbpfExcludedExecutables
	MapExcludedPorts       = CommonMapEbpfExcludedPorts
	MapIncludedCgroups     = CommonMapEbpfIncludedCgroups
	MapIncludedCidrs       = CommonMapEbpfIncludedCidrs
	MapIncludedExecutables = CommonMapEbpfIncludedExecutables
	MapIncludedPorts       = CommonMapEbpfIncludedPorts
	MapListened            = CommonMapEbpfListened
	MapListening           = CommonMapEbpfListening
	MapLost                = CommonMapEbpfLost
	MapRecords             = CommonMapEbpfRecords
	MapSequences           = CommonMapEbpfSequences
	MapSocketSlots         = CommonMapEbpfSocketSlots
)

// SocketMaps are the maps of what is known of sockets and their owners, by their names in every object.
var SocketMaps = []string{
	CommonMapEbpfClosedByAddress,
	CommonMapEbpfEnds,
	CommonMapEbpfExecuted,
	MapListened,
	CommonMapEbpfListeners,
	MapListening,
	MapSocketSlots,
	CommonMapEbpfSocketStorage,
	CommonMapEbpfSocketsByAddress,
}

// The variables that the loader sets in every object that has them.
const (
	VarByAddress          = CommonVarByAddress
	VarCanCast            = CommonVarCanCast
	VarEnabledEvents      = CommonVarEnabledEvents
	VarEventLimit         = CommonVarEventLimit
	VarExcludeCidrs       = CommonVarExcludeCidrs
	VarExcludeExecutables = CommonVarExcludeExecutables
	VarExcludeLoopback    = CommonVarExcludeLoopback
	VarExcludePorts       = CommonVarExcludePorts
	VarIncludeCgroups     = CommonVarIncludeCgroups
	VarIncludeCidrs       = CommonVarIncludeCidrs
	VarIncludeExecutables = CommonVarIncludeExecutables
	VarIncludeLoopback    = CommonVarIncludeLoopback
	VarIncludePid         = CommonVarIncludePid
	VarIncludePorts       = CommonVarIncludePorts
	VarOverflowCounter    = CommonVarOverflowCounter
	VarPossibleCPUs       = CommonVarPossibleCpus
	VarProgramNumber      = CommonVarProgramNumber
	VarReadNames          = CommonVarReadNames
	VarRingQueryAbove     = CommonVarRingQueryAbove
	VarRingReserveAbove   = CommonVarRingReserveAbove
	VarRingWakeAbove      = CommonVarRingWakeAbove
	VarSelfPid            = CommonVarSelfPid
)

// ProgFindOffset is the function that finds out, for the CPU that it runs on, what MapCPUOffsets has of it.
const ProgFindOffset = CommonProgEbpfFindOffset

// ProgUpdateListener is the function that renews what MapListening has of one, and returns a ListeningFate.
const ProgUpdateListener = CommonProgEbpfUpdateListener
