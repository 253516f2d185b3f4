// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package runtimes

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// engines are the runtimes whose daemons, or storage, the tests share.
type engines struct {
	podman     *podman
	docker     *docker
	containerd *containerd
}

// startEngines starts the daemons.
func startEngines(h *host) *engines {
	c := startContainerd(h)
	return &engines{podman: newPodman(h), docker: startDocker(h), containerd: c}
}

// podman runs containers by podman and runc.
type podman struct {
	*host
	// command is podman with the options that keep its storage in the test's folder.
	command []string
	names   []string
}

func newPodman(h *host) *podman {
	return &podman{host: h, command: []string{"podman", "--root", filepath.Join(h.dir, "podman"), "--runroot", "/run/podman"}}
}

// pod is the name of a pod.
const pod = "p"

// newRootless returns podman as a user runs it. Its storage driver needs neither privileges nor FUSE.
func newRootless(h *host) *podman {
	user := strconv.Itoa(userID)
	return &podman{host: h, command: []string{
		"setpriv", "--reuid", user, "--regid", user, "--clear-groups",
		"env", "HOME=" + filepath.Join(h.dir, "home"), "XDG_RUNTIME_DIR=/run/user/" + user, "podman", "--storage-driver", "vfs",
	}}
}

func (p *podman) run(args ...string) (string, error) {
	return p.host.run(slices.Concat(p.command, args)...)
}

func (p *podman) load() error {
	if _, err := p.run("import", "--quiet", filepath.Join(p.dir, "layer.tar"), imageName); err != nil {
		return err
	}
	// Its own container would need an image, or Debian's package catatonit.
	_, err := p.run("pod", "create", "--infra=false", "--name", pod)
	return err
}

func (p *podman) start(g *guest) (string, int, error) {
	args := append([]string{"run", "--detach", "--pull", "never", "--name", g.name, "--volume", p.shared + ":/shared"}, g.options...)
	id, err := p.run(append(args, imageName, "/guest", g.what, g.name)...)
	if err != nil {
		return "", 0, err
	}
	p.names = append(p.names, g.name)
	pid, err := p.run("inspect", "--format", "{{.State.Pid}}", g.name)
	return id, atoi(pid), err
}

func (p *podman) exec(g *guest, args ...string) error {
	_, err := p.run(append([]string{"exec", g.name}, args...)...)
	return err
}

func (p *podman) remove() error {
	if len(p.names) > 0 {
		if _, err := p.run(append([]string{"rm", "--force", "--time", "0"}, p.names...)...); err != nil {
			return err
		}
	}
	_, err := p.run("pod", "rm", "--force", "--ignore", pod)
	return err
}

// docker runs containers by dockerd, containerd and runc.
type docker struct {
	*host
	names []string
}

func dockerSocket(h *host) string { return "unix://" + filepath.Join(h.dir, "docker.sock") }

// startDocker starts dockerd, without a bridge and without rules for the firewall.
func startDocker(h *host) *docker {
	d := &docker{host: h}
	state, config := filepath.Join(h.dir, "docker"), filepath.Join(h.dir, "daemon.json")
	h.write(config, "{}")
	h.daemon([]string{"docker", "--host", dockerSocket(h), "version"},
		"dockerd", "--host", dockerSocket(h), "--containerd", containerdSocket(h), "--config-file", config,
		"--data-root", state, "--exec-root", state+"-exec", "--pidfile", state+".pid", "--exec-opt", "native.cgroupdriver=cgroupfs",
		"--bridge", "none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false",
		"--default-ulimit", "nofile=1024:1024")
	return d
}

func (d *docker) run(args ...string) (string, error) {
	return d.host.run(append([]string{"docker", "--host", dockerSocket(d.host)}, args...)...)
}

func (d *docker) load() error {
	_, err := d.run("import", filepath.Join(d.dir, "layer.tar"), imageName)
	return err
}

func (d *docker) start(g *guest) (string, int, error) {
	args := append([]string{"run", "--detach", "--pull", "never", "--name", g.name, "--volume", d.shared + ":/shared"}, g.options...)
	id, err := d.run(append(args, imageName, "/guest", g.what, g.name)...)
	if err != nil {
		return "", 0, err
	}
	d.names = append(d.names, g.name)
	pid, err := d.run("inspect", "--format", "{{.State.Pid}}", g.name)
	return id, atoi(pid), err
}

func (d *docker) exec(g *guest, args ...string) error {
	_, err := d.run(append([]string{"exec", g.name}, args...)...)
	return err
}

func (d *docker) remove() error {
	if len(d.names) == 0 {
		return nil
	}
	_, err := d.run(append([]string{"rm", "--force"}, d.names...)...)
	return err
}

// containerd runs containers by containerd and runc, with ctr. Their ids are the names that ctr is given.
type containerd struct {
	*host
	guests []*guest
}

func containerdSocket(h *host) string { return filepath.Join(h.dir, "containerd.sock") }

// containerdConfig has what is needed here. The plugin for Kubernetes would want a network configuration.
const containerdConfig = `version = 2
root = "%[1]s/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "%[2]s"
[plugins."io.containerd.internal.v1.opt"]
path = "%[1]s/opt"
`

func startContainerd(h *host) *containerd {
	config := filepath.Join(h.dir, "containerd.toml")
	h.write(config, fmt.Sprintf(containerdConfig, h.dir, containerdSocket(h)))
	h.daemon([]string{"ctr", "--address", containerdSocket(h), "version"}, "containerd", "--config", config)
	return &containerd{host: h}
}

// namespace returns the namespace of containerd that a guest is in, and the name that it has there.
func (g *guest) namespace() (namespace, id string) {
	if space, id, ok := strings.Cut(g.name, "."); ok {
		return space, id
	}
	return "default", g.name
}

func (c *containerd) run(namespace string, args ...string) (string, error) {
	return c.host.run(append([]string{"ctr", "--address", containerdSocket(c.host), "--namespace", namespace}, args...)...)
}

func (c *containerd) load() error {
	for _, namespace := range []string{"default", "team"} {
		if _, err := c.run(namespace, "images", "import", filepath.Join(c.dir, "image.tar")); err != nil {
			return err
		}
	}
	return nil
}

func (c *containerd) start(g *guest) (string, int, error) {
	namespace, id := g.namespace()
	args := append([]string{"run", "--detach", "--mount", "type=bind,src=" + c.shared + ",dst=/shared,options=rbind:rw"}, g.options...)
	if _, err := c.run(namespace, append(args, imageName, id, "/guest", g.what, g.name)...); err != nil {
		return "", 0, err
	}
	c.guests = append(c.guests, g)
	tasks, err := c.run(namespace, "tasks", "list")
	if err != nil {
		return "", 0, err
	}
	for line := range strings.Lines(tasks) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == id {
			return id, atoi(fields[1]), nil
		}
	}
	return "", 0, fmt.Errorf("containerd knows no task %s:\n%s", id, tasks)
}

func (c *containerd) exec(g *guest, args ...string) error {
	namespace, id := g.namespace()
	_, err := c.run(namespace, append([]string{"tasks", "exec", "--exec-id", "one-more", id}, args...)...)
	return err
}

func (c *containerd) remove() error {
	for _, g := range c.guests {
		namespace, id := g.namespace()
		if _, err := c.run(namespace, "tasks", "delete", "--force", id); err != nil {
			return err
		}
		if _, err := c.run(namespace, "containers", "delete", id); err != nil {
			return err
		}
	}
	return nil
}

func atoi(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}
