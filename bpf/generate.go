// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package bpf is the kernel half: the eBPF programs, compiled and committed, and the Go types of their records and maps.
package bpf

//go:generate bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -go-package bpf -type record -type owner -type address -type flow -type cidr -type executable -type ports -type losses -type sequence -type program_id -type loss_cause -type attribution -type role Socket socket.bpf.c -- -O2 -mcpu=v3 -Wall -Wextra -Werror -Wno-unused-parameter -I/usr/include/x86_64-linux-gnu
//go:generate bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -go-package bpf -type event -type event_id Cgroup cgroup.bpf.c -- -O2 -mcpu=v3 -Wall -Wextra -Werror -Wno-unused-parameter -I/usr/include/x86_64-linux-gnu
//go:generate bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -go-package bpf -type event -type event_id -type unix_event -type series -type counts -type histogram -type failure Connection connection.bpf.c -- -O2 -mcpu=v3 -Wall -Wextra -Werror -Wno-unused-parameter -I/usr/include/x86_64-linux-gnu
//go:generate bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -go-package bpf -type event -type event_id -type series -type counts PacketDrop packet_drop.bpf.c -- -O2 -mcpu=v3 -Wall -Wextra -Werror -Wno-unused-parameter -I/usr/include/x86_64-linux-gnu
//go:generate bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -go-package bpf -type event -type event_id -type series -type counts Oom oom.bpf.c -- -O2 -mcpu=v3 -Wall -Wextra -Werror -Wno-unused-parameter -I/usr/include/x86_64-linux-gnu
//go:generate bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -go-package bpf -type event -type exec_event -type arguments -type event_id -type outcome -type series -type counts Process process.bpf.c -- -O2 -mcpu=v3 -Wall -Wextra -Werror -Wno-unused-parameter -I/usr/include/x86_64-linux-gnu
//go:generate bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -go-package bpf -type event -type event_id -type retransmit -type series -type counts -type histogram TCP tcp.bpf.c -- -O2 -mcpu=v3 -Wall -Wextra -Werror -Wno-unused-parameter -I/usr/include/x86_64-linux-gnu
//go:generate bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -go-package bpf -type event -type event_id -type kind -type operation -type table -type scan -type leak -type series -type counts FileDescriptor file_descriptor.bpf.c -- -O2 -mcpu=v3 -Wall -Wextra -Werror -Wno-unused-parameter -I/usr/include/x86_64-linux-gnu
//go:generate bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -go-package bpf -type event -type event_id -type call_limits -type series -type counts Syscall syscall.bpf.c -- -O2 -mcpu=v3 -Wall -Wextra -Werror -Wno-unused-parameter -I/usr/include/x86_64-linux-gnu
//go:generate bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -go-package bpf -type event -type event_id -type trait -type frame -type series -type counts -type interface Packet packet.bpf.c -- -O2 -mcpu=v3 -Wall -Wextra -Werror -Wno-unused-parameter -I/usr/include/x86_64-linux-gnu
