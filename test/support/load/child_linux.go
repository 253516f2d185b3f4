// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// jobEnv carries a child's job; a process without it is no child.
const jobEnv = "OTELCOL_EBPF_LOAD"

// job is what one child process has to do.
type job struct {
	Serve   *serveJob   `json:",omitempty"`
	Connect *connectJob `json:",omitempty"`
	Drop    *Drops      `json:",omitempty"`
	Loop    *Loop       `json:",omitempty"`
	Exceed  string      `json:",omitempty"`
}

// Main does the work of a child process and does not return if this process is one.
func Main() {
	text := os.Getenv(jobEnv)
	if text == "" {
		return
	}
	if err := work([]byte(text), json.NewEncoder(os.Stdout)); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func work(text []byte, out *json.Encoder) error {
	var j job
	if err := json.Unmarshal(text, &j); err != nil {
		return fmt.Errorf("read the job: %w", err)
	}
	// The threads stay in system calls that the Go runtime does not know of, so it must never wait for them.
	debug.SetGCPercent(-1)
	switch {
	case j.Serve != nil:
		return j.Serve.run(out)
	case j.Connect != nil:
		return j.Connect.run(out)
	case j.Drop != nil:
		return j.Drop.run(out)
	case j.Loop != nil:
		return j.Loop.run(out)
	case j.Exceed != "":
		return exceed(j.Exceed)
	}
	return errors.New("the job is empty")
}

// onThreads runs f on n threads of their own and returns when all have ended.
func onThreads(n int, f func(thread int) error) error {
	runtime.GOMAXPROCS(n + 2)
	ended := make(chan error, n)
	for i := range n {
		go func() {
			runtime.LockOSThread()
			ended <- f(i)
		}()
	}
	var errs []error
	for range n {
		errs = append(errs, <-ended)
	}
	return errors.Join(errs...)
}

// allowed are the CPUs that the process may use, asked for before any of its threads stays on one.
var allowed = sync.OnceValues(func() (cpus []int, err error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, fmt.Errorf("ask for the CPUs: %w", err)
	}
	for cpu := range 8 * int(unsafe.Sizeof(set)) {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
})

// stayOn keeps this thread on the nth CPU, or on one of those before it where there are fewer.
func stayOn(n int) error {
	cpus, err := allowed()
	if err != nil {
		return err
	}
	var one unix.CPUSet
	one.Set(cpus[n%len(cpus)])
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("stay on a CPU: %w", err)
	}
	return nil
}

// child is a process that was started for a job.
type child struct {
	cmd    *exec.Cmd
	out    *json.Decoder // its results
	errors bytes.Buffer
}

func start(j job, in *Container) (*child, error) {
	text, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.Command(self)}
	// The runtime's preemption signals would cut long system calls short.
	c.cmd.Env = append(os.Environ(), jobEnv+"="+string(text), "GODEBUG=asyncpreemptoff=1")
	c.cmd.Stderr = &c.errors
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if in != nil {
		c.cmd.SysProcAttr.UseCgroupFD, c.cmd.SysProcAttr.CgroupFD = true, in.FD()
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = json.NewDecoder(out)
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a child process: %w", err)
	}
	return c, nil
}

// result reads the child's next result.
func (c *child) result(into any) error {
	if err := c.out.Decode(into); err != nil {
		return errors.Join(fmt.Errorf("result of a child process: %w", err), c.wait())
	}
	return nil
}

func (c *child) wait() error {
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("child process: %w: %s", err, bytes.TrimSpace(c.errors.Bytes()))
	}
	return nil
}

// kill ends the child whatever it does; it is for the way out after an error.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.wait()
}
