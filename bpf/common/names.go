// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package common

// The maps that all programs share, by their names in every object.
const (
	MapExcludedCidrs       = CommonMapEbpfExcludedCidrs
	MapExcludedExecutables = CommonMapEbpfExcludedExecutables
	MapExcludedPorts       = CommonMapEbpfExcludedPorts
	MapLost                = CommonMapEbpfLost
	MapRecords             = CommonMapEbpfRecords
	MapSequences           = CommonMapEbpfSequences
	MapSocketSlots         = CommonMapEbpfSocketSlots
)

// The variables that the loader sets in every object that has them.
const (
	VarByAddress          = CommonVarByAddress
	VarEnabledEvents      = CommonVarEnabledEvents
	VarEventLimit         = CommonVarEventLimit
	VarExcludeCidrs       = CommonVarExcludeCidrs
	VarExcludeExecutables = CommonVarExcludeExecutables
	VarExcludeLoopback    = CommonVarExcludeLoopback
	VarExcludePorts       = CommonVarExcludePorts
	VarProgramNumber      = CommonVarProgramNumber
	VarReadNames          = CommonVarReadNames
	VarRingReserveAbove   = CommonVarRingReserveAbove
	VarRingWakeAbove      = CommonVarRingWakeAbove
	VarSelfPid            = CommonVarSelfPid
)
