// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import "strings"

// unknownError is the value of error.type for an error without a name of its own.
const unknownError = "_OTHER"

// maxErrno is above every errno that has a symbol.
const maxErrno = 255

// errorTypes are the values of error.type that are not the symbol of the errno.
var errorTypes = map[string]string{
	"ECONNREFUSED": "refused",
	"ECONNRESET":   "reset",
	"ETIMEDOUT":    "timed_out",
	"EHOSTUNREACH": "host_unreachable",
	"ENETUNREACH":  "net_unreachable",
	"ECONNABORTED": "aborted",
	// ENOTSUP and EOPNOTSUPP are one number. The value is the name that Linux itself uses.
	"ENOTSUP": "eopnotsupp",
}

// internalErrors are the symbols of errors internal to the kernel, from firstInternal on. The first ones mean that a
// signal interrupted a system call, and that the call then restarts or fails with EINTR.
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
// ("refused"), otherwise the symbol in lower case ("eaddrnotavail", and "erestartsys" for an internal one). It returns
// "_OTHER" for a number without a symbol, and "" for 0. It costs no allocation.
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
