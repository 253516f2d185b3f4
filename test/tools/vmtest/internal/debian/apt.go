// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Archives is where packages come from.
type Archives struct {
	// Main and Security are the URIs of Debian's archive and of its security archive. They may be the same.
	Main, Security string
}

// MachineArchives returns the archives that the machine's own apt uses.
func MachineArchives(ctx context.Context) (a Archives, err error) {
	out, err := run(exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(LABEL) $(REPO_URI)", "Created-By: Packages", "Origin: Debian"))
	if err != nil {
		return a, fmt.Errorf("ask apt for its sources: %w", err)
	}
	for line := range strings.Lines(out) {
		switch label, uri, _ := strings.Cut(strings.TrimSpace(line), " "); label {
		case "Debian":
			a.Main = uri
		case "Debian-Security":
			a.Security = uri
		}
	}
	if a.Main == "" || a.Security == "" {
		return a, errors.New("apt has no lists of Debian's archives: run `apt-get update`, or set -archive and -security-archive")
	}
	return a, nil
}

// Apt is a private apt root.
type Apt struct {
	dir  string
	args []string
}

const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// releases are the Debian releases that have the kernels, and the architectures to search in each.
var releases = []struct{ name, architectures string }{
	{"bullseye", "amd64"},
	{"bookworm", "amd64,arm64"},
	{"trixie", "amd64,arm64"},
}

// NewApt creates or reuses a private apt root in a directory.
func NewApt(dir string, archives Archives) (*Apt, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	for _, sub := range []string{"lists/partial", "cache/archives/partial", "packages", "unpacked"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	list := filepath.Join(dir, "sources.list")
	if err := os.WriteFile(list, sources(archives), 0o644); err != nil {
		return nil, err
	}
	return &Apt{dir: dir, args: []string{
		"-o", "Dir::Etc::sourcelist=" + list,
		"-o", "Dir::Etc::sourceparts=/dev/null",
		"-o", "Dir::State::lists=" + filepath.Join(dir, "lists"),
		"-o", "Dir::Cache=" + filepath.Join(dir, "cache"),
		"-o", "APT::Architectures::=amd64",
		"-o", "APT::Architectures::=arm64",
		"-o", "APT::Sandbox::User=root",
		"-o", "Acquire::Languages=none",
		"-o", "Acquire::Retries=3",
		"-o", "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
	}}, nil
}

func sources(archives Archives) []byte {
	var b bytes.Buffer
	add := func(uri, suite, architectures string) {
		fmt.Fprintf(&b, "deb [arch=%s signed-by=%s] %s %s main\n", architectures, keyring, uri, suite)
	}
	for _, r := range releases {
		add(archives.Main, r.name, r.architectures)
		add(archives.Security, r.name+"-security", r.architectures)
		if r.name != "bullseye" { // bullseye-backports is no longer in the archive
			add(archives.Main, r.name+"-backports", r.architectures)
		}
	}
	return b.Bytes()
}

func (a *Apt) command(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, append(slices.Clone(a.args), args...)...)
	cmd.Dir = dir
	return run(cmd)
}

// Kernels fetches the package lists and returns all packages of cloud kernels.
func (a *Apt) Kernels(ctx context.Context) ([]Package, error) {
	if _, err := a.command(ctx, a.dir, "apt-get", "-q", "update"); err != nil {
		return nil, fmt.Errorf("fetch the package lists: %w", err)
	}
	const names = `^linux-(image|binary|modules)-[0-9].*-cloud-(amd64|arm64)$`
	found, err := a.command(ctx, a.dir, "apt-cache", "search", "--names-only", names)
	if err != nil {
		return nil, fmt.Errorf("list the kernels in the archive: %w", err)
	}
	show := []string{"show"}
	for line := range strings.Lines(found) {
		// Keep the architecture suffix: without it, apt looks for the machine's own architecture.
		name, _, _ := strings.Cut(line, " ")
		show = append(show, name+":"+name[strings.LastIndexByte(name, '-')+1:])
	}
	index, err := a.command(ctx, a.dir, "apt-cache", show...)
	if err != nil {
		return nil, fmt.Errorf("read the package lists: %w", err)
	}
	return ParseIndex(strings.NewReader(index))
}

// Release returns packages of a release of Debian by their names, for amd64, in any order. Kernels fetches the lists.
func (a *Apt) Release(ctx context.Context, release string, names []string) ([]Package, error) {
	show := []string{"show"}
	for _, name := range names {
		show = append(show, name+":amd64/"+release)
	}
	// One call for all: apt reads all lists each time.
	index, err := a.command(ctx, a.dir, "apt-cache", show...)
	if err != nil {
		return nil, fmt.Errorf("look for packages in %s: %w", release, err)
	}
	packages, err := ParseIndex(strings.NewReader(index))
	if err == nil && len(packages) != len(names) {
		err = fmt.Errorf("%s has %d of the packages %v", release, len(packages), names)
	}
	return packages, err
}

// Unpack downloads packages that are not in the cache, unpacks them into one directory, and returns it. It has the name and version of
// the first package.
func (a *Apt) Unpack(ctx context.Context, packages []Package) (string, error) {
	to := filepath.Join(a.dir, "unpacked", packages[0].Name+"_"+packages[0].Version)
	if _, err := os.Stat(to); err == nil {
		return to, nil
	}
	half := to + ".half"
	if err := os.RemoveAll(half); err != nil {
		return "", err
	}
	if err := a.Download(ctx, packages); err != nil {
		return "", err
	}
	for _, p := range packages {
		if _, err := run(exec.CommandContext(ctx, "dpkg-deb", "-x", a.file(p), half)); err != nil {
			return "", fmt.Errorf("unpack %s: %w", p, err)
		}
	}
	return to, os.Rename(half, to)
}

// KernelFile finds the kernel in an unpacked package.
func KernelFile(dir string) (string, error) {
	for _, pattern := range []string{"boot/vmlinuz-*", "usr/lib/modules/*/vmlinuz"} {
		if files, _ := filepath.Glob(filepath.Join(dir, pattern)); len(files) == 1 {
			return files[0], nil
		}
	}
	return "", fmt.Errorf("no kernel in %s", dir)
}

// file is where a package is in the cache.
func (a *Apt) file(p Package) string { return filepath.Join(a.dir, "packages", p.File) }

// Download downloads packages that are not in the cache.
func (a *Apt) Download(ctx context.Context, packages []Package) error {
	missing := slices.DeleteFunc(slices.Clone(packages), func(p Package) bool {
		sum, err := sha256Of(a.file(p))
		return err == nil && sum == p.SHA256
	})
	if len(missing) == 0 {
		return nil
	}
	args := []string{"-q", "download"}
	for _, p := range missing {
		args = append(args, p.String())
	}
	// apt-get verifies the checksums.
	dir := filepath.Join(a.dir, "packages")
	if _, err := a.command(ctx, dir, "apt-get", args...); err != nil {
		return fmt.Errorf("download %v: %w", missing, err)
	}
	for _, p := range missing {
		// The name that apt-get gives has the epoch of the version.
		named := filepath.Join(dir, p.Name+"_"+strings.ReplaceAll(p.Version, ":", "%3a")+"_"+p.Architecture+".deb")
		if err := os.Rename(named, a.file(p)); err != nil {
			return fmt.Errorf("download %s: %w", p, err)
		}
	}
	return nil
}

func sha256Of(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// run returns the command's standard output. An error contains its standard error.
func run(cmd *exec.Cmd) (string, error) {
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	// Error messages are for people only, but should be in English.
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", cmd, err, strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}
