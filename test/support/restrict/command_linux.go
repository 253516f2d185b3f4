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

// environment marks a process that restricts itself and then executes its arguments.
const environment = "OTELCOL_EBPF_RESTRICTION"

// Restriction is what a program has to do without. It is imposed in the order of the fields.
type Restriction struct {
	// Unshare are the program's new namespaces (CLONE_NEW…). A PID namespace applies only to children, so use the command's
	// Cloneflags for it.
	Unshare int
	// Unmount are the types of file systems to unmount.
	Unmount []string
	// Mount is mounted after that.
	Mount []Mount
	// Drop are capabilities that the program does not have and cannot regain, not even as root.
	Drop []uintptr
	// User is the user that runs the program; nil is root.
	User *User
	// NoNewPrivileges keeps executed files from gaining privileges.
	NoNewPrivileges bool
	// Syscalls are the numbers of the allowed system calls. Others fail with EPERM. nil allows all.
	Syscalls []uint32
}

// Mount is a mount that only the program sees.
type Mount struct {
	// Type is the type of a new file system. If it is empty, Source is bind-mounted.
	Type string
	// Source is the path that is bind-mounted at At, if Type is empty.
	Source string
	At     string
	// ReadOnly makes the mount read-only.
	ReadOnly bool
}

// User is an ordinary user.
type User struct {
	ID int
	// Capabilities are the user's ambient capabilities.
	Capabilities []uintptr
}

// Command makes a command run under a restriction.
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

// Main restricts this process and executes the program, if the process was started by Command. Then it does not return.
func Main() {
	text := os.Getenv(environment)
	if text == "" {
		return
	}
	// Restrictions apply to a thread, and the thread that calls exec becomes the program.
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
