// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package process

import "strconv"

// signals are the names of Linux's signals, whose numbers are the same on amd64 and arm64.
var signals = [...]string{
	1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE",
	9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM",
	16: "SIGSTKFLT", 17: "SIGCHLD", 18: "SIGCONT", 19: "SIGSTOP", 20: "SIGTSTP", 21: "SIGTTIN", 22: "SIGTTOU",
	23: "SIGURG", 24: "SIGXCPU", 25: "SIGXFSZ", 26: "SIGVTALRM", 27: "SIGPROF", 28: "SIGWINCH", 29: "SIGIO",
	30: "SIGPWR", 31: "SIGSYS",
}

// signalName returns the name of a signal. Real-time signals have only numbers.
func signalName(signal uint8) string {
	if int(signal) < len(signals) && signals[signal] != "" {
		return signals[signal]
	}
	return "SIG" + strconv.Itoa(int(signal))
}

// className returns ebpf.process.exit.class.
func className(outcome uint8) string {
	switch outcome {
	case succeeded:
		return "success"
	case failed:
		return "failure"
	default:
		return "signal"
	}
}
