// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// forker is a machine program that repeatedly forks and waits for its child, which ends at once. The four bytes after the
// code are the number of repetitions. A Go process is too large to fork in large numbers.
var forker = map[string]string{
	"amd64": `
		8b 1d 2e 00 00 00  b8 39 00 00 00  0f 05  85 c0  74 17                 # movl count, %ebx; 0: fork(); jz 2f
		bf ff ff ff ff  31 f6  31 d2  45 31 d2  b8 3d 00 00 00  0f 05          # wait4(-1, 0, 0, 0)
		ff cb  75 de  31 ff  b8 e7 00 00 00  0f 05  0f 1f 00                   # decl %ebx; jnz 0b; 2: exit_group(0)`,
	"arm64": `
		93 02 00 18  20 02 80 d2  e1 03 1f aa  e2 03 1f aa  e3 03 1f aa  e4 03 1f aa  88 1b 80 d2  01 00 00 d4  # ldr w19, count; 0: clone(SIGCHLD, 0, 0, 0, 0)
		20 01 00 b4  00 00 80 92  e1 03 1f aa  e2 03 1f aa  e3 03 1f aa  88 20 80 d2  01 00 00 d4  # cbz x0, 2f; wait4(-1, 0, 0, 0)
		73 06 00 71  21 fe ff 54  e0 03 1f aa  c8 0b 80 d2  01 00 00 d4  # subs w19, w19, #1; b.ne 0b; 2: exit_group(0)`,
}

// forkerPath returns the path of a program that makes that many processes, one after the other.
func forkerPath(t testing.TB, count int) string {
	t.Helper()
	var code []byte
	for line := range strings.Lines(forker[runtime.GOARCH]) {
		text, _, _ := strings.Cut(line, "#")
		piece, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
		require.NoError(t, err)
		code = append(code, piece...)
	}
	require.NotEmpty(t, code, "there is no program for %s", runtime.GOARCH)
	code = binary.LittleEndian.AppendUint32(code, uint32(count))
	path := filepath.Join(filepath.Dir(executable(t, agentProgram, "kernel-test-program")), "forker")
	require.NoError(t, os.WriteFile(path, program(t, code), 0o755))
	return path
}

// program returns an ELF executable with only this code.
func program(t testing.TB, code []byte) []byte {
	t.Helper()
	const base = 0x400000
	machine := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[runtime.GOARCH]
	header := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT),
		Phnum: 1,
	}
	copy(header.Ident[:], elf.ELFMAG)
	header.Ident[elf.EI_CLASS], header.Ident[elf.EI_DATA] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB)
	header.Ident[elf.EI_VERSION] = byte(elf.EV_CURRENT)
	header.Ehsize, header.Phentsize = uint16(binary.Size(header)), uint16(binary.Size(elf.Prog64{}))
	header.Phoff = uint64(header.Ehsize)
	start := header.Phoff + uint64(header.Phentsize)
	header.Entry = base + start
	segment := elf.Prog64{
		Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Vaddr: base, Paddr: base, Align: 0x10000,
	}
	segment.Filesz = start + uint64(len(code))
	segment.Memsz = segment.Filesz
	var file bytes.Buffer
	for _, part := range []any{header, segment, code} {
		require.NoError(t, binary.Write(&file, binary.LittleEndian, part))
	}
	return file.Bytes()
}
