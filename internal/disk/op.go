package disk

import "fmt"

// OpKind names an operation of FS or File.
type OpKind uint8

const (
	OpCreate OpKind = iota + 1
	OpOpen
	OpList
	OpRename
	OpRemove
	OpMkdir
	OpSyncDir
	OpLock
	OpRead
	OpWrite
	OpTruncate
	OpAllocate
	OpSync
)

var opNames = [...]string{
	OpCreate: "create", OpOpen: "open", OpList: "list", OpRename: "rename", OpRemove: "remove",
	OpMkdir: "mkdir", OpSyncDir: "syncdir", OpLock: "lock", OpRead: "read", OpWrite: "write",
	OpTruncate: "truncate", OpAllocate: "allocate", OpSync: "sync",
}

// String prints the kind as one word.
func (k OpKind) String() string {
	if int(k) < len(opNames) && opNames[k] != "" {
		return opNames[k]
	}
	return fmt.Sprintf("op(%d)", uint8(k))
}

// Changes reports whether the operation may change what a later power loss
// leaves behind. Crash tests need to stop only at these.
func (k OpKind) Changes() bool {
	switch k {
	case OpOpen, OpList, OpRead, OpLock:
		return false
	}
	return true
}

// Op is one operation as a Mem sees it, before it is carried out.
type Op struct {
	// N numbers the operations of a Mem from 1.
	N    uint64
	Kind OpKind
	// Name is the file's or directory's path; for OpRename the old name.
	Name string
	// NewName is OpRename's target.
	NewName string
	// Offset and Size are the byte range of OpRead and OpWrite; Size is the
	// wanted size for OpTruncate and OpAllocate.
	Offset, Size int64
}

// String prints the operation on one line, for traces.
func (o Op) String() string {
	switch o.Kind {
	case OpRename:
		return fmt.Sprintf("%d rename %s → %s", o.N, o.Name, o.NewName)
	case OpRead, OpWrite:
		return fmt.Sprintf("%d %v %s [%d,+%d)", o.N, o.Kind, o.Name, o.Offset, o.Size)
	case OpTruncate, OpAllocate:
		return fmt.Sprintf("%d %v %s to %d", o.N, o.Kind, o.Name, o.Size)
	}
	return fmt.Sprintf("%d %v %s", o.N, o.Kind, o.Name)
}
