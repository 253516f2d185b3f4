package program

// Definition is one program in the receiver's list of programs.
type Definition struct {
	// Name is the program's key below `programs` and the value of ebpf.program.name.
	Name string
	// DefaultConfig returns a new default configuration.
	DefaultConfig func() Config
}
