// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/tools/vmtest/internal/debian"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/tools/vmtest/internal/initramfs"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/tools/vmtest/internal/script"
)

const testBinary = "/service.test"

// packages are systemd, dpkg, what the scripts of packages and units call, and the libraries of these.
var packages = strings.Fields(`
	systemd libsystemd-shared libsystemd0 dpkg tar dash coreutils diffutils procps libc-bin
	libc6 libacl1 libapparmor1 libattr1 libaudit1 libblkid1 libbz2-1.0 libcap-ng0 libcap2 libcrypt1 libgcrypt20 libgmp10 libgpg-error0
	libip4tc2 libkmod2 liblz4-1 liblzma5 libmd0 libmount1 libpam0g libpcre2-8-0 libproc2-0 libseccomp2 libselinux1 libssl3 libzstd1 zlib1g`)

// left are the folders of packages that are left out.
var left = []string{
	"usr/share/", "usr/lib/x86_64-linux-gnu/gconv/", "usr/lib/locale/", "usr/lib/systemd/boot/", "usr/lib/udev/",
	// Units for machines with disks, users and a network.
	"usr/lib/systemd/system/sysinit.target.wants/", "usr/lib/systemd/system/multi-user.target.wants/", "usr/lib/systemd/system/timers.target.wants/",
	"usr/lib/systemd/system-generators/", "etc/systemd/system/",
}

// merged are the folders that are links into /usr in Debian.
var merged = []string{"bin", "sbin", "lib", "lib64"}

// texts are the files of a machine that no package has.
var texts = map[string]string{
	"/etc/passwd":          "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
	"/etc/group":           "root:x:0:\nadm:x:4:\nsystemd-journal:x:101:\nnogroup:x:65534:\n",
	"/etc/hosts":           "127.0.0.1 localhost\n::1 localhost\n",
	"/etc/machine-id":      "0123456789abcdef0123456789abcdef\n",
	"/var/lib/dpkg/status": "",
	"/etc/systemd/system/tests.service": "[Unit]\nDescription=The tests\nAfter=systemd-journald.service\n" +
		"[Service]\nExecStart=" + script.Init + "\nStandardOutput=null\n",
}

// folders are those that no package has.
var folders = []string{"/dev", "/proc", "/run", "/sys", "/tmp", "/root", "/var/tmp", "/var/lib/dpkg/info", "/var/lib/dpkg/updates", "/var/log"}

// root is the file system that systemd gets, below script.Root.
type root struct{ w *initramfs.Writer }

func (r *root) add(ctx context.Context, apt *debian.Apt) error {
	found, err := apt.Release(ctx, release, packages)
	if err != nil {
		return err
	}
	if err := apt.Download(ctx, found); err != nil {
		return err
	}
	for _, name := range merged {
		r.w.Link(script.Root+"/"+name, "usr/"+name)
	}
	for _, p := range found {
		dir, err := apt.Unpack(ctx, []debian.Package{p})
		if err != nil {
			return err
		}
		if err := r.addPackage(dir); err != nil {
			return err
		}
	}
	for _, name := range folders {
		r.w.Directory(script.Root + name)
	}
	for name, text := range texts {
		r.w.File(script.Root+name, 0o644, []byte(text))
	}
	r.w.Link(script.Root+"/usr/bin/sh", "dash")
	r.w.Link(script.Root+"/etc/systemd/system/default.target", "/usr/lib/systemd/system/multi-user.target")
	r.w.Link(script.Root+"/etc/systemd/system/multi-user.target.wants/tests.service", "../tests.service")
	r.w.Link(script.Root+"/usr/lib/systemd/system/sysinit.target.wants/systemd-journald.service", "../systemd-journald.service")
	plan, err := json.Marshal(script.Plan{
		Environment: []string{"OTELCOL_EBPF_TEST_PATIENCE=12", "OTELCOL_EBPF_TEST_DISPOSABLE=1", "PATH=/usr/sbin:/usr/bin", "LC_ALL=C"},
		Commands:    []script.Command{{Name: "./test/suites/service", Directory: "/", Arguments: []string{testBinary, "-test.v"}}},
	})
	r.w.File(script.Root+script.PlanFile, 0o644, plan)
	return err
}

// addPackage adds the files of an unpacked package.
func (r *root) addPackage(dir string) error {
	return filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(strings.TrimPrefix(file, dir), "/")
		if top, _, _ := strings.Cut(name, "/"); slices.Contains(merged, top) {
			name = "usr/" + name
		}
		if slices.ContainsFunc(left, func(folder string) bool { return strings.HasPrefix(name, folder) }) {
			return nil
		}
		to := path.Join(script.Root, name)
		switch {
		case entry.IsDir():
			r.w.Directory(to)
		case entry.Type() == fs.ModeSymlink:
			target, err := os.Readlink(file)
			if err != nil {
				return err
			}
			r.w.Link(to, target)
		case entry.Type().IsRegular():
			content, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			r.w.File(to, int(info.Mode().Perm()), content)
		}
		return nil
	})
}
