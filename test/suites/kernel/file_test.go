// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// Each way to delete, to fail to delete, and not to delete, on each file system.
func TestFileDeletions(t *testing.T) {
	s := newFileTest(t, onlyFile)
	systems := map[string]string{"folder": testhost.NewFolder(t), "tmpfs": testhost.NewTmpfs(t)}
	if dir, ok := testhost.NewOverlay(t); ok {
		systems["overlay"] = dir
	}
	for name, dir := range systems {
		t.Run(name, func(t *testing.T) {
			touch(t, dir, "a", "b", "c", "d/", "d/e", "f", "g/", "h/", "i/", "full/", "full/x", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "t1", "t2", "t3", "t5/", "t6", "t8", "dir/", "dir2/", "dir3/", "deep/", "deep/er/", "deep/file")
			require.NoError(t, os.Link(filepath.Join(dir, "s7"), filepath.Join(dir, "t7")))
			in := func(name string) string { return filepath.Join(dir, name) }
			call := func(call, path string) traffic.FileCall { return traffic.FileCall{Call: call, Path: path} }
			at := func(call, at, path string, flags int) traffic.FileCall {
				return traffic.FileCall{Call: call, Dir: at, Path: path, Flags: flags}
			}
			rename := func(call, from, at, path string, flags int) traffic.FileCall {
				return traffic.FileCall{Call: call, From: in(from), Dir: at, Path: path, Flags: flags}
			}
			s.agent.ChangeDir(in("deep"))
			s.deletes(t,
				deletion{FileCall: call("unlink", in("a")), path: in("a"), kind: "unlink"},
				deletion{FileCall: call("unlink", "file"), path: in("deep/file"), kind: "unlink"},
				deletion{FileCall: call("unlink", "./..//b"), path: in("b"), kind: "unlink"},
				deletion{FileCall: at("unlinkat", dir, "c", 0), path: in("c"), kind: "unlink"},
				deletion{FileCall: at("unlinkat", in("d"), "e", 0), path: in("d/e"), kind: "unlink"},
				deletion{FileCall: at("unlinkat", in("d"), "../f", 0), path: in("f"), kind: "unlink"},
				deletion{FileCall: at("unlinkat", "", "../d", unix.AT_REMOVEDIR), path: in("d"), kind: "rmdir"},
				deletion{FileCall: call("rmdir", in("g")+"/"), path: in("g"), kind: "rmdir"},
				deletion{FileCall: at("unlinkat", dir, "h", unix.AT_REMOVEDIR), path: in("h"), kind: "rmdir"},

				deletion{FileCall: rename("rename", "s1", "", in("t1"), 0), path: in("t1"), kind: "rename"},
				deletion{FileCall: rename("renameat", "s2", dir, "t2", 0), path: in("t2"), kind: "rename"},
				deletion{FileCall: rename("renameat2", "s3", "", "../t3", 0), path: in("t3"), kind: "rename"},
				deletion{FileCall: rename("rename", "dir", "", in("dir2"), 0), path: in("dir2"), kind: "rename"},

				// These calls delete nothing. Not every call shows that.
				deletion{FileCall: rename("rename", "s4", "", in("t4"), 0), path: in("t4"), kind: "rename", onlyCalls: true},
				deletion{FileCall: rename("rename", "s7", "", in("t7"), 0), path: in("t7"), kind: "rename", onlyCalls: true},
				deletion{FileCall: rename("renameat2", "s5", dir, "t9", unix.RENAME_NOREPLACE)},
				deletion{FileCall: rename("renameat2", "s6", dir, "t6", unix.RENAME_EXCHANGE)},

				// These fail.
				deletion{FileCall: call("unlink", in("none")), errno: unix.ENOENT, path: in("none"), kind: "unlink", onlyCalls: true},
				deletion{FileCall: call("unlink", in("full")), errno: unix.EISDIR, path: in("full"), kind: "unlink"},
				deletion{FileCall: call("rmdir", in("full")), errno: unix.ENOTEMPTY, path: in("full"), kind: "rmdir"},
				deletion{FileCall: call("rmdir", in("full/x")), errno: unix.ENOTDIR, path: in("full/x"), kind: "rmdir"},
				deletion{FileCall: rename("rename", "dir3", "", in("full"), 0), errno: unix.ENOTEMPTY, path: in("full"), kind: "rename"},
				deletion{FileCall: rename("rename", "s8", "", in("full"), 0), errno: unix.EISDIR, path: in("full"), kind: "rename"},
				deletion{FileCall: rename("rename", "none", "", in("t8"), 0), errno: unix.ENOENT},
				deletion{FileCall: rename("renameat2", "s8", dir, "t8", unix.RENAME_NOREPLACE), errno: unix.EEXIST},
			)
			if name == "overlay" {
				// This is one deletion, although the overlay creates a whiteout in its place.
				s.deletes(t,
					deletion{FileCall: call("unlink", in("lower-file")), path: in("lower-file"), kind: "unlink"},
					deletion{FileCall: rename("rename", "s8", "", in("lower-file-2"), 0), path: in("lower-file-2"), kind: "rename"},
				)
			}
			s.agent.ChangeDir("/")
		})
	}
	s.checkCounts(t)
}

// The event of a refused deletion has the file and the process.
func TestFileDeletionRefused(t *testing.T) {
	s := newFileTest(t, onlyFile, traffic.AsUser(clientUser))
	dir := touch(t, testhost.NewFolder(t), "dir/", "dir/a", "dir/b/")
	require.NoError(t, os.Chmod(filepath.Join(dir, "dir"), 0o755))
	a, b := filepath.Join(dir, "dir/a"), filepath.Join(dir, "dir/b")
	s.deletes(t,
		deletion{FileCall: traffic.FileCall{Call: "unlink", Path: a}, errno: unix.EACCES, path: a, kind: "unlink"},
		deletion{FileCall: traffic.FileCall{Call: "rmdir", Path: b}, errno: unix.EACCES, path: b, kind: "rmdir"},
	)
	s.checkCounts(t)
}

// The path is the file's path in the mount namespace, however it was named. For a failed call it is a path that leads
// there.
func TestFilePaths(t *testing.T) {
	s := newFileTest(t, onlyFile)
	unlink := func(path string) traffic.FileCall { return traffic.FileCall{Call: "unlink", Path: path} }
	dir := testhost.NewTmpfs(t)
	in := func(name string) string { return filepath.Join(dir, name) }

	t.Run("symbolic link", func(t *testing.T) {
		touch(t, dir, "real/", "real/below/", "real/x", "real/y", "x")
		require.NoError(t, os.Symlink(in("real/below"), in("link")))
		require.NoError(t, os.Symlink(in("x"), in("to-x")))
		s.deletes(t,
			deletion{FileCall: unlink(in("link") + "/../x"), path: in("real/x"), called: in("link") + "/../x", kind: "unlink"},
			deletion{FileCall: traffic.FileCall{Call: "unlinkat", Dir: in("link"), Path: "../y"}, path: in("real/y"), kind: "unlink"},
			deletion{FileCall: unlink(in("to-x")), path: in("to-x"), kind: "unlink"}, // the link itself, not its target
		)
	})
	t.Run("bind mount", func(t *testing.T) {
		touch(t, dir, "bound/", "bound/x", "bound/y")
		other := testhost.Bind(t, in("bound"))
		s.deletes(t, deletion{FileCall: unlink(other + "/x"), path: other + "/x", kind: "unlink"})
		s.agent.ChangeDir(other)
		s.deletes(t, deletion{FileCall: unlink("y"), path: other + "/y", kind: "unlink"})
		s.agent.ChangeDir("/")
	})
	t.Run("long", func(t *testing.T) {
		long := strings.Repeat("l", 250)
		for _, depth := range []int{1, 2, 15} {
			path := in(strings.Repeat(long+"/", depth))
			require.NoError(t, os.MkdirAll(path, 0o777))
			touch(t, path, "x", "y")
			s.deletes(t, deletion{FileCall: unlink(path + "/x"), path: path + "/x", kind: "unlink"})
			s.agent.ChangeDir(path)
			s.deletes(t, deletion{FileCall: unlink("y"), path: path + "/y", kind: "unlink"})
			s.agent.ChangeDir("/")
		}
	})
	t.Run("deep", func(t *testing.T) {
		path := in(strings.Repeat("d/", 100))
		require.NoError(t, os.MkdirAll(path, 0o777))
		touch(t, path, "x")
		s.deletes(t, deletion{FileCall: unlink(path + "/x"), path: path + "/x", kind: "unlink"})
	})
	t.Run("odd names", func(t *testing.T) {
		for _, name := range []string{" ", "...", "ä ö", strings.Repeat("n", 255), "-rf", "a\nb"} {
			touch(t, dir, name)
			s.deletes(t, deletion{FileCall: unlink(dir + "/" + name), path: dir + "/" + name, kind: "unlink"})
		}
	})
	s.checkCounts(t)
}

// A deletion whose path cannot be read has an event without a path, even if another path was read before on this CPU. Each counted
// deletion has an event.
func TestFileDeletionsWithoutPath(t *testing.T) {
	s := newFileTest(t, onlyFile)
	dir := testhost.NewTmpfs(t)
	deep := filepath.Join(dir, strings.Repeat("d/", 140))
	require.NoError(t, os.MkdirAll(deep, 0o777))
	touch(t, deep, "x", "full/", "full/y")
	unlinkat := traffic.FileCall{Call: "unlinkat", Path: "x"}
	closed, unreadable, long := unlinkat, unlinkat, unlinkat
	closed.ClosedDir, unreadable.BadAddress, long.Path = true, true, strings.Repeat("./", 2500)+"x"
	// Stay on one CPU. Before each deletion, delete a file whose path can be read.
	var cpu unix.CPUSet
	cpu.Set(0)
	require.NoError(t, unix.SchedSetaffinity(s.agent.PID, &cpu))
	for directory, d := range map[string]deletion{
		"closed":   {FileCall: closed, errno: unix.EBADF, kind: "unlink", onlyCalls: true},
		"bad":      {FileCall: unreadable, errno: unix.EFAULT, kind: "unlink", onlyCalls: true},
		"long":     {FileCall: long, errno: unix.ENAMETOOLONG, kind: "unlink", onlyCalls: true},
		"deep":     {FileCall: unlinkat, kind: "unlink"},
		"deep-dir": {FileCall: traffic.FileCall{Call: "unlinkat", Path: "full", Flags: unix.AT_REMOVEDIR}, errno: unix.ENOTEMPTY, kind: "rmdir"},
	} {
		t.Run(directory, func(t *testing.T) {
			touch(t, dir, directory+"/", directory+"/before", directory+"/empty/")
			s.agent.ChangeDir(filepath.Join(dir, directory))
			before := len(s.Events.Matching(testreceiver.Named(deleteEvent), testreceiver.OfProcess(s.agent.PID)))
			flags, kind, name := 0, "unlink", "before"
			if d.kind == "rmdir" {
				flags, kind, name = unix.AT_REMOVEDIR, "rmdir", "empty"
			}
			require.Zero(t, s.agent.CallFile(traffic.FileCall{Call: "unlinkat", Path: name, Flags: flags}).Errno)
			s.Wait(t, before+1, testreceiver.Named(deleteEvent), testreceiver.OfProcess(s.agent.PID))
			s.want[kind]++
			if strings.HasPrefix(directory, "deep") {
				s.agent.ChangeDir(deep)
			}
			s.deletes(t, d)
		})
	}
	s.agent.ChangeDir("/")
	s.checkCounts(t)
	assert.Empty(t, lost(s.Scrape(t), "file"))
}

// In a chroot or a mount namespace, a process uses other paths, or deletes files that are invisible outside.
func TestFilePathsOfOtherRoots(t *testing.T) {
	t.Run("chroot", func(t *testing.T) {
		s := newFileTest(t, onlyFile)
		jail := touch(t, testhost.NewTmpfs(t), "x", "dir/", "dir/y", "z", "end")
		s.agent.ChangeRoot(jail)
		for i, path := range []string{"/x", "dir/y", "../../../z", "/end"} {
			require.Zero(t, s.agent.CallFile(traffic.FileCall{Call: "unlink", Path: path}).Errno)
			events := s.Wait(t, i+1, testreceiver.Named(deleteEvent), testreceiver.OfProcess(s.agent.PID))
			want := filepath.Join(jail, filepath.Join("/", path))
			check(t, events[i], deleteEvent, plog.SeverityNumberInfo, s.process().with(file(want)).with(attributes{"ebpf.file.deletion.kind": "unlink"}))
		}
	})
	t.Run("mount namespace", func(t *testing.T) {
		s := newFileTest(t, onlyFile)
		dir := testhost.NewFolder(t)
		s.agent.MountPrivately(dir)
		path := filepath.Join(dir, "file")
		require.NoFileExists(t, path)
		s.deletes(t, deletion{FileCall: traffic.FileCall{Call: "unlink", Path: path}, path: path, kind: "unlink"})
	})
}

// Deletions by io_uring are not system calls, but are reported, too.
func TestFileDeletionsByRing(t *testing.T) {
	s := newFileTest(t, onlyFile)
	dir := touch(t, testhost.NewTmpfs(t), "a", "b", "c/", "d", "e", "f", "g", "h", "full/", "full/x")
	in := func(name string) string { return filepath.Join(dir, name) }
	call := func(call, path string, flags int) traffic.FileCall {
		return traffic.FileCall{Call: call, Dir: dir, Path: path, Flags: flags, ByRing: true}
	}
	if first := s.agent.CallFile(call("unlinkat", "none", 0)); first.Errno == unix.EINVAL {
		testenv.Lacking(t, "deletions by io_uring (5.11)")
	}
	if s.seesCalls && !kernelSays().requests {
		testenv.Lacking(t, "the tracepoint of io_uring requests (6.3)")
	}
	if s.seesCalls {
		s.Wait(t, 1, testreceiver.Named(deleteEvent), testreceiver.With("error.type", "enoent"), testreceiver.OfProcess(s.agent.PID))
		s.want[deletionSeries("unlink", "enoent", false)]++
	}
	rename := func(from, path string, flags int) traffic.FileCall {
		c := call("renameat2", path, flags)
		c.From = in(from)
		return c
	}
	s.deletes(t,
		deletion{FileCall: call("unlinkat", "a", 0), path: in("a"), kind: "unlink"},
		deletion{FileCall: call("unlinkat", "./full/../b", 0), path: in("b"), called: dir + "/full/../b", kind: "unlink"},
		deletion{FileCall: call("unlinkat", "c", unix.AT_REMOVEDIR), path: in("c"), kind: "rmdir"},
		deletion{FileCall: call("unlinkat", "full", unix.AT_REMOVEDIR), errno: unix.ENOTEMPTY, path: in("full"), kind: "rmdir"},
		deletion{FileCall: rename("d", "e", 0), path: in("e"), kind: "rename"},
		deletion{FileCall: rename("f", "g", unix.RENAME_EXCHANGE)},
	)
	s.checkCounts(t)

	// A request without a completion may have failed.
	if !kernelSays().requests {
		return
	}
	silent := call("unlinkat", "h", 0)
	silent.Silently = true
	require.Zero(t, s.agent.CallFile(silent).Errno)
	e := s.Wait(t, 1, testreceiver.Named(deleteEvent), testreceiver.OfProcess(s.agent.PID), testreceiver.With("file.name", "h"))[0]
	assert.Equal(t, s.seesCalls, e.Attributes["ebpf.file.deletion.uncertain"] == true)
	assert.Equal(t, in("h"), e.Attributes["file.path"])
}

// In a storm of deletions, all are counted, and each is an event or a counted loss. Later deletions are reported.
func TestFileDeletionsInMasses(t *testing.T) {
	const limit = 100
	count := 20_000
	if testing.Short() {
		count = 10_000
	}
	for name, config := range map[string]string{
		"with a limit":    fmt.Sprintf("programs: {file: {event_limit: %d}}", limit),
		"without a limit": onlyFile,
	} {
		t.Run(name, func(t *testing.T) {
			s := newFileTest(t, config)
			begin := time.Now()
			s.agent.DeleteMany(testhost.NewTmpfs(t), count)
			seconds := int(time.Since(begin).Seconds()) + 2 // one before, and one after
			m := s.Scrape(t)
			missed := lost(m, "file")["recursion"]
			assert.Equal(t, count, m.In(s.container).Int(deletionsMetric, testreceiver.Attributes{"ebpf.file.deletion.kind": "unlink"})+missed)
			events, losses := 0, 0
			testreceiver.Eventually(func() bool {
				events, losses = len(s.Events.Matching(testreceiver.Named(deleteEvent), inContainer(s.container))), 0
				for _, n := range lost(s.Scrape(t), "file") {
					losses += n
				}
				return events+losses >= count
			})
			t.Logf("%d events and %d losses", events, losses)
			assert.GreaterOrEqual(t, events+losses, count)
			assert.LessOrEqual(t, events, count)
			if name == "with a limit" {
				assert.LessOrEqual(t, events, limit*seconds)
			}

			path := filepath.Join(testhost.NewTmpfs(t), "x")
			require.True(t, testreceiver.Eventually(func() bool { // until the next second of the limit begins
				touch(t, filepath.Dir(path), "x")
				s.agent.CallFile(traffic.FileCall{Call: "unlink", Path: path})
				return len(s.Events.Matching(testreceiver.Named(deleteEvent), testreceiver.With("file.path", path))) > 0
			}), "deletions after the storm are not reported")
		})
	}
}

// opening is a call with its expected event. Without flags there is none.
type opening struct {
	traffic.FileCall
	errno unix.Errno
	path  string
	flags []any
}

// Only opens below the configured paths are reported, with their flags.
func TestFileOpens(t *testing.T) {
	dir := testhost.NewTmpfs(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	touch(t, dir, "watched/", "watched/x", "watched/y", "watched/secret", "watchedtoo", "other/", "other/x", "end", "one-file", "one-file.2")
	require.NoError(t, os.Chmod(in("watched/secret"), 0o600))
	require.NoError(t, os.Symlink(in("watched"), in("other/link")))
	require.NoError(t, os.Symlink(in("other/x"), in("watched/out")))
	// The configuration names the directory by a symbolic link.
	require.NoError(t, os.Symlink(in("watched"), in("to-watched")))
	config := fmt.Sprintf("programs: {file: {event_limit: 1000000, opens: {paths: [%q, %q, %q]}}}", in("to-watched"), in("one-file"), in("end"))
	open := func(call, dir, path string, flags int) traffic.FileCall {
		return traffic.FileCall{Call: call, Dir: dir, Path: path, Flags: flags}
	}
	const rw, wo = unix.O_RDWR, unix.O_WRONLY
	inRoot := func(dir, path string) traffic.FileCall {
		c := open("openat2", dir, path, wo)
		c.Resolve = unix.RESOLVE_IN_ROOT
		return c
	}
	openings := []opening{
		{FileCall: open("open", "", in("watched/x"), 0), path: in("watched/x"), flags: []any{"O_RDONLY"}},
		{FileCall: open("openat", "", in("watched/x"), wo|unix.O_CLOEXEC), path: in("watched/x"), flags: []any{"O_WRONLY"}},
		{FileCall: open("openat", dir, "watched/x", rw|unix.O_APPEND), path: in("watched/x"), flags: []any{"O_RDWR", "O_APPEND"}},
		{FileCall: open("openat2", in("other"), "../watched/./x", unix.O_TRUNC|wo), path: in("watched/x"), flags: []any{"O_WRONLY", "O_TRUNC"}},
		{FileCall: open("creat", "", in("watched/new"), 0), path: in("watched/new"), flags: []any{"O_WRONLY", "O_CREAT", "O_TRUNC"}},
		{FileCall: open("open", "", in("watched"), unix.O_DIRECTORY), path: in("watched"), flags: []any{"O_RDONLY", "O_DIRECTORY"}},
		{FileCall: open("openat", "", in("watched/y"), unix.O_PATH|unix.O_NOFOLLOW), path: in("watched/y"), flags: []any{"O_NOFOLLOW", "O_PATH"}},
		{FileCall: open("openat", "", in("one-file"), rw|unix.O_NOCTTY), path: in("one-file"), flags: []any{"O_RDWR", "O_NOCTTY"}},
		// Through a link into the directory, and through one out of it.
		{FileCall: open("openat", "", in("other/link/y"), 0), path: in("watched/y"), flags: []any{"O_RDONLY"}},
		{FileCall: open("openat", "", in("watched/out"), 0)},
		// Not below these paths.
		{FileCall: open("openat", "", in("watchedtoo"), 0)},
		{FileCall: open("openat", "", in("one-file.2"), 0)},
		{FileCall: open("openat", "", dir, unix.O_DIRECTORY)},
		{FileCall: open("openat", "", in("other/x"), wo)},
		// These fail.
		{FileCall: open("openat", "", in("watched/secret"), rw), errno: unix.EACCES, path: in("watched/secret"), flags: []any{"O_RDWR"}},
		{FileCall: open("openat", dir, "watched/none", 0), errno: unix.ENOENT, path: in("watched/none"), flags: []any{"O_RDONLY"}},
		{FileCall: open("openat2", "", in("watched/x"), wo|unix.O_CREAT|unix.O_EXCL), errno: unix.EEXIST, path: in("watched/x"), flags: []any{"O_WRONLY", "O_CREAT", "O_EXCL"}},
		{FileCall: open("openat", "", in("other/none"), wo), errno: unix.ENOENT},

		// With RESOLVE_IN_ROOT the directory is the root of the name.
		{FileCall: inRoot(dir, "/watched/none"), errno: unix.ENOENT, path: in("watched/none"), flags: []any{"O_WRONLY"}},
		{FileCall: inRoot(in("other"), in("watched/none")), errno: unix.ENOENT},
		{FileCall: inRoot(dir, "/watched/x"), path: in("watched/x"), flags: []any{"O_WRONLY"}},
	}
	if kernelSays().requests {
		for _, o := range openings {
			if o.Call == "openat" {
				o.ByRing = true
				openings = append(openings, o)
			}
		}
	}
	changes := func(o opening) bool { return o.Call == "creat" || o.Flags&(wo|rw|unix.O_TRUNC) != 0 }
	for name, config := range map[string]string{"all": config, "write_only": strings.Replace(config, "paths:", "write_only: true, paths:", 1)} {
		t.Run(name, func(t *testing.T) {
			_ = os.Remove(in("watched/new"))
			s := newFileTest(t, config, traffic.AsUser(clientUser))
			want := map[string]int{}
			for _, o := range append(openings, opening{FileCall: open("open", "", in("end"), wo), path: in("end"), flags: []any{"O_WRONLY"}}) {
				if name == "write_only" && !changes(o) {
					o.flags = nil
				}
				call := s.agent.CallFile(o.FileCall)
				require.Equal(t, o.errno, call.Errno, "%+v", o)
				if o.flags == nil {
					continue
				}
				seen := 0
				for _, n := range want {
					seen += n
				}
				events := s.Wait(t, seen+1, testreceiver.Named(openEvent), testreceiver.OfProcess(s.agent.PID))
				require.Len(t, events, seen+1)
				attrs, severity, errorType := s.process().with(file(o.path)).with(attributes{"ebpf.file.open.flags": o.flags}), plog.SeverityNumberInfo, ""
				if o.errno != 0 {
					severity, errorType = plog.SeverityNumberWarn, strings.ToLower(unix.ErrnoName(o.errno))
					attrs["error.type"] = errorType
				}
				if o.ByRing && !s.seesCalls {
					attrs["thread.name"] = worker(t, s.agent, events[seen])
				}
				check(t, events[seen], openEvent, severity, attrs)
				assert.Equal(t, resource(s.container), events[seen].Resource)
				within(t, events[seen], call.Start, call.End)
				want[errorType]++
			}
			got := map[string]int{}
			for _, series := range s.Scrape(t).In(s.container).Series(opensMetric) {
				got[series.Attributes["error.type"]] += series.Value
			}
			assert.Equal(t, want, got)
		})
	}
}
