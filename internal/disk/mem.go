package disk

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"sync"
)

// Mem is a file system in memory that remembers what is durable. It tracks,
// for each file, the durable content and every write since the last sync, and
// for each directory the names that were changed since it was synced. Crash
// turns that into a disk as a power loss may leave it.
//
// Equal calls give equal results: all randomness comes from the generators
// that are passed in. Methods may be called from several goroutines, though
// determinism then is the callers' affair.
//
// Invariants:
//  1. names is what a running process sees; durable plus a subset of changes
//     is what a crash leaves.
//  2. Pages are shared between copies of a Mem and changed only by the inode
//     whose epoch they carry.
type Mem struct {
	mu sync.Mutex

	names   map[string]*inode
	durable map[string]*inode
	dirs    map[string]bool
	changes []nameChange
	locks   map[string]*memLock

	// generation counts the kills; a handle of an older one is dead.
	generation uint64
	ops        uint64
	inject     Injector
	onOp       func(Op, error)

	// space bounds used; negative means no bound.
	space, used int64

	pool pool
}

// nameChange is a change of a name that is not durable yet.
type nameChange struct {
	kind     OpKind // OpCreate, OpRename or OpRemove
	old, new string // new is the name that is made; old the name that goes
	node     *inode
}

// dir is the directory whose sync makes the change durable.
func (c nameChange) dir() string {
	if c.new != "" {
		return path.Dir(c.new)
	}
	return path.Dir(c.old)
}

// NewMem returns an empty file system with a root directory.
func NewMem() *Mem {
	return &Mem{
		names:   map[string]*inode{},
		durable: map[string]*inode{},
		dirs:    map[string]bool{".": true, "/": true},
		locks:   map[string]*memLock{},
		space:   -1,
	}
}

// SetInjector installs what decides about faults; nil removes it.
func (m *Mem) SetInjector(f Injector) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inject = f
}

// OnOp installs a tracer that is told each operation and its outcome; nil
// removes it. It is called with the lock held and must not call back.
func (m *Mem) OnOp(f func(Op, error)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.onOp = f
}

// Ops counts the operations so far, failed ones included.
func (m *Mem) Ops() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ops
}

// SetSpace bounds the bytes that all files may occupy, in whole pages; a
// negative bound means none. Operations that need more fail with ErrNoSpace.
func (m *Mem) SetSpace(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.space = bytes
}

// Used is the space that all files occupy, in bytes.
func (m *Mem) Used() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}

// Unsynced counts what a power loss could still take of a file: writes, and the
// name itself.
func (m *Mem) Unsynced(name string) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if node := m.names[name]; node != nil {
		n = len(node.pending)
	}
	for _, c := range m.changes {
		if c.new == name {
			n++
		}
	}
	return n
}

// do runs one operation: asks the injector, carries it out, tells the tracer.
func (m *Mem) do(op Op, run func(Fault) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.doLocked(op, run)
}

func (m *Mem) doLocked(op Op, run func(Fault) error) error {
	m.ops++
	op.N = m.ops
	var fault Fault
	if m.inject != nil {
		fault = m.inject(op)
	}
	err := fault.Err
	if err == nil || op.Kind == OpWrite || op.Kind == OpSync {
		// A failing write or sync still has effects.
		if e := run(fault); err == nil {
			err = e
		}
	}
	if err != nil && err != io.EOF {
		err = &fs.PathError{Op: op.Kind.String(), Path: op.Name, Err: err}
	}
	if m.onOp != nil {
		m.onOp(op, err)
	}
	return err
}

// Create implements FS.
func (m *Mem) Create(name string) (File, error) {
	name = path.Clean(name)
	var f File
	err := m.do(Op{Kind: OpCreate, Name: name}, func(Fault) error {
		if err := m.checkDir(path.Dir(name)); err != nil {
			return err
		}
		if m.names[name] != nil || m.dirs[name] {
			return ErrExist
		}
		node := newInode(name, &m.pool)
		m.names[name] = node
		m.changes = append(m.changes, nameChange{kind: OpCreate, new: name, node: node})
		f = m.handle(node)
		return nil
	})
	return f, err
}

// Open implements FS.
func (m *Mem) Open(name string) (File, error) {
	name = path.Clean(name)
	var f File
	err := m.do(Op{Kind: OpOpen, Name: name}, func(Fault) error {
		node := m.names[name]
		if node == nil {
			return ErrNotExist
		}
		f = m.handle(node)
		return nil
	})
	return f, err
}

// List implements FS.
func (m *Mem) List(dir string) ([]string, error) {
	dir = path.Clean(dir)
	var list []string
	err := m.do(Op{Kind: OpList, Name: dir}, func(Fault) error {
		if err := m.checkDir(dir); err != nil {
			return err
		}
		for name := range m.names {
			if path.Dir(name) == dir {
				list = append(list, path.Base(name))
			}
		}
		for name := range m.dirs {
			if path.Dir(name) == dir && name != dir {
				list = append(list, path.Base(name))
			}
		}
		slices.Sort(list)
		return nil
	})
	return list, err
}

// Rename implements FS.
func (m *Mem) Rename(oldname, newname string) error {
	oldname, newname = path.Clean(oldname), path.Clean(newname)
	return m.do(Op{Kind: OpRename, Name: oldname, NewName: newname}, func(Fault) error {
		node := m.names[oldname]
		if node == nil {
			return ErrNotExist
		}
		if err := m.checkDir(path.Dir(newname)); err != nil {
			return err
		}
		if oldname == newname {
			return nil
		}
		if replaced := m.names[newname]; replaced != nil {
			m.used -= replaced.space()
			replaced.linked = false
		}
		node.name = newname
		delete(m.names, oldname)
		m.names[newname] = node
		m.changes = append(m.changes, nameChange{kind: OpRename, old: oldname, new: newname, node: node})
		return nil
	})
}

// Remove implements FS.
func (m *Mem) Remove(name string) error {
	name = path.Clean(name)
	return m.do(Op{Kind: OpRemove, Name: name}, func(Fault) error {
		node := m.names[name]
		if node == nil {
			return ErrNotExist
		}
		m.used -= node.space()
		node.linked = false
		delete(m.names, name)
		m.changes = append(m.changes, nameChange{kind: OpRemove, old: name, node: node})
		return nil
	})
}

// MkdirAll implements FS.
func (m *Mem) MkdirAll(dir string) error {
	dir = path.Clean(dir)
	return m.do(Op{Kind: OpMkdir, Name: dir}, func(Fault) error {
		for d := dir; !m.dirs[d]; d = path.Dir(d) {
			if m.names[d] != nil {
				return fmt.Errorf("%s is a file: %w", d, ErrExist)
			}
		}
		for d := dir; !m.dirs[d]; d = path.Dir(d) {
			m.dirs[d] = true
		}
		return nil
	})
}

// SyncDir implements FS.
func (m *Mem) SyncDir(dir string) error {
	dir = path.Clean(dir)
	return m.do(Op{Kind: OpSyncDir, Name: dir}, func(f Fault) error {
		if err := m.checkDir(dir); err != nil {
			return err
		}
		done := m.changes
		m.changes = nil
		for _, c := range done {
			if c.dir() == dir {
				applyName(m.durable, c)
			} else {
				m.changes = append(m.changes, c)
			}
		}
		for _, c := range done {
			if c.kind == OpRemove {
				m.scrap(c.node)
			}
		}
		return nil
	})
}

// scrap recycles a removed file unless a process, a crash or an un-synced change
// of a name could still bring it back.
func (m *Mem) scrap(n *inode) {
	if n.linked || n.handles > 0 {
		return
	}
	for _, other := range m.durable {
		if other == n {
			return
		}
	}
	for _, c := range m.changes {
		if c.node == n {
			return
		}
	}
	n.scrap()
}

// handle opens an inode.
func (m *Mem) handle(n *inode) File {
	n.handles++
	return &memFile{m: m, node: n, generation: m.generation}
}

func (m *Mem) checkDir(dir string) error {
	if !m.dirs[dir] {
		return fmt.Errorf("directory %s: %w", dir, ErrNotExist)
	}
	return nil
}

// applyName carries a change of a name over to the durable names. A file has
// one name, so a rename whose older changes were lost takes the older durable
// name along.
func applyName(names map[string]*inode, c nameChange) {
	if c.kind == OpRemove {
		if names[c.old] == c.node {
			delete(names, c.old)
		}
		return
	}
	for name, node := range names {
		if node == c.node {
			delete(names, name)
		}
	}
	names[c.new] = c.node
}

// Lock implements FS.
func (m *Mem) Lock(name string) (io.Closer, error) {
	name = path.Clean(name)
	var l *memLock
	err := m.do(Op{Kind: OpLock, Name: name}, func(Fault) error {
		if err := m.checkDir(path.Dir(name)); err != nil {
			return err
		}
		if m.locks[name] != nil {
			return ErrLocked
		}
		if m.names[name] == nil {
			node := newInode(name, &m.pool)
			m.names[name] = node
			m.changes = append(m.changes, nameChange{kind: OpCreate, new: name, node: node})
		}
		l = &memLock{m: m, name: name}
		m.locks[name] = l
		return nil
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

type memLock struct {
	m    *Mem
	name string
}

func (l *memLock) Close() error {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if l.m.locks[l.name] == l {
		delete(l.m.locks, l.name)
	}
	return nil
}
