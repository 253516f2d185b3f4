// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import "strings"

// unknownError is the value of error.type for an error without a name of its own.
const unknownError = "_OTHER"

// maxErrno is above all that have a symbol.
const maxErrno = 255

// errorTypes are the names of error.type that are not the symbol of the errno.
var errorTypes = map[string]string{
	"ECONNREFUSED": "refused",
	"ECONNRESET":   "reset",
	"ETIMEDOUT":    "timed_out",
	"EHOSTUNREACH": "host_unreachable",
	"ENETUNREACH":  "net_unreachable",
	"ECONNABORTED": "aborted",
	// Linux has one number for both, and its own name for it is the longer.
	"ENOTSUP": "eopnotsupp",
}

// internalErrors are the names of those that the kernel has for itself, from firstInternal on. The first ones tell that a
// signal has come, and what becomes of the system call then: it begins again, or fails with EINTR.
var internalErrors = [...]string{
	"erestartsys", "erestartnointr", "erestartnohand", "enoioctlcmd", "erestart_restartblock", "eprobe_defer", "eopenstale",
	"enoparam", "", "ebadhandle", "enotsync", "ebadcookie", "enotsupp", "etoosmall", "eserverfault", "ebadtype", "ejukebox",
	"eiocbqueued", "erecallconflict", "enograce",
}

const firstInternal = 512

// errorTypeOf holds the value of error.type by errno.
var errorTypeOf = func() []string {
	var types []string
	for errno := range maxErrno + 1 {
		symbol := errnoSymbol(errno)
		if symbol == "" {
			continue
		}
		for len(types) <= errno {
			types = append(types, unknownError)
		}
		if name, ok := errorTypes[symbol]; ok {
			types[errno] = name
		} else {
			types[errno] = strings.ToLower(symbol)
		}
	}
	return types
}()

// ErrorType returns the value of error.type for an errno of the Linux kernel: a word for the common ends of a connection
// ("refused"), the symbol in lower case for all else ("eaddrnotavail", and "erestartsys" among those that the kernel has
// for itself), "_OTHER" for a number without a symbol, and "" for 0, which is no error. It costs no allocation.
func ErrorType(errno uint16) string {
	switch {
	case errno == 0:
		return ""
	case int(errno) < len(errorTypeOf):
		return errorTypeOf[errno]
	case errno >= firstInternal && int(errno) < firstInternal+len(internalErrors) && internalErrors[errno-firstInternal] != "":
		return internalErrors[errno-firstInternal]
	default:
		return unknownError
	}
}
