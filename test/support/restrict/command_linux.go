// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package restrict

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// environment marks a process that gives something up and then becomes the program of its arguments.
const environment = "OTELCOL_EBPF_RESTRICTION"

// Restriction is what a program must run without. It is imposed in the order of the fields.
type Restriction struct {
	// Unshare are the namespaces that the program gets for itself (CLONE_NEW…). One for process ids begins with a
	// child, so it belongs in the command's Cloneflags instead.
	Unshare int
	// Unmount are the types of file systems that are not mounted.
	Unmount []string
	// Mount is what is mounted over the rest.
	Mount []Mount
	// Drop are capabilities that the program does not have and cannot get, not even as root.
	Drop []uintptr
	// User is who the program runs as; nil is root.
	User *User
	// NoNewPrivileges reports that no executed file can give the program more privileges.
	NoNewPrivileges bool
	// Syscalls are the numbers of the only system calls that are not refused with EPERM; nil is all of them.
	Syscalls []uint32
}

// Mount is a mount that only the program sees.
type Mount struct {
	// Type is the type of a file system that is mounted anew; if it is empty, Source is bind-mounted.
	Type string
	// Source is the path that is bind-mounted at At, if Type is empty.
	Source string
	At     string
	// ReadOnly is whether nothing can be written there.
	ReadOnly bool
}

// User is an ordinary user.
type User struct {
	ID int
	// Capabilities are those that the program has (ambient).
	Capabilities []uintptr
}

// Command has a command run under a restriction.
func Command(cmd *exec.Cmd, r Restriction) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	under := exec.Command(self, cmd.Args[1:]...)
	under.Args[0] = cmd.Path
	under.Env = append(cmd.Environ(), environment+"="+string(text))
	under.Dir = cmd.Dir
	under.SysProcAttr = cmd.SysProcAttr
	return under, nil
}

// Main becomes the program if this process was started for that, and then does not return.
func Main() {
	text := os.Getenv(environment)
	if text == "" {
		return
	}
	// What is given up is the thread's, and the thread becomes the program.
	runtime.LockOSThread()
	var r Restriction
	err := json.Unmarshal([]byte(text), &r)
	if err == nil {
		err = r.Impose()
	}
	if err == nil {
		err = syscall.Exec(os.Args[0], os.Args, slices.DeleteFunc(os.Environ(), func(v string) bool {
			return strings.HasPrefix(v, environment+"=")
		}))
	}
	fmt.Fprintln(os.Stderr, "restricted:", err)
	os.Exit(1)
}
