package testdisk

import (
	"io"
	"math/rand/v2"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-db/holdfast/internal/disk"
)

// unnamedPrefix begins the names of files that have none yet.
const unnamedPrefix = ".unnamed-"

// VolatileOptions say how much of what was not synced reaches the disk all the same. The zero value: nothing.
type VolatileOptions struct {
	// Rand draws; nil means that nothing is left to chance, and the fields below count as zero.
	Rand *rand.Rand
	// WriteBack is the chance, in thousandths, that a write or a change of names is followed by writing back some of
	// what waits.
	WriteBack int
	// Tear is the chance, in thousandths, that a sync pauses half-way, which makes it likely to be hit by a kill.
	Tear int
	// TearPause is how long it pauses.
	TearPause time.Duration
}

// Volatile is a disk that loses with its process what was not synced. Methods may be called from several goroutines.
//
// Invariants:
//  1. nodes and gone are what the process sees, the base's names with the list applied are the same.
//  2. A node is in nodes while it has handles, data that was not synced, or a place in the list.
//  3. At most one node stands for a file of the base, so that all handles see the same pages.
type Volatile struct {
	base disk.FS
	dice *dice

	mu    sync.Mutex // of names; taken before a node's
	nodes map[string]*node
	gone  map[string]bool // names of the base that the process removed or renamed
	list  []nameChange
	own   map[string]bool // files without a name that this process made
	made  int
}

// nameChange is a change of names that no SyncDir has made durable.
type nameChange struct {
	op       disk.OpKind // OpCreate, OpRename or OpRemove
	old, new string      // new is the name that is made, old the one that goes
}

// concerns tells whether the change is of a name in dir.
func (c nameChange) concerns(dir string) bool {
	return c.new != "" && path.Dir(c.new) == dir || c.old != "" && path.Dir(c.old) == dir
}

// NewVolatile wraps a disk.
func NewVolatile(base disk.FS, o VolatileOptions) *Volatile {
	return &Volatile{base: base, dice: &dice{o: o}, nodes: map[string]*node{}, gone: map[string]bool{}, own: map[string]bool{}}
}

// Create implements disk.FS.
func (v *Volatile) Create(name string) (disk.File, error) {
	name = path.Clean(name)
	v.mu.Lock()
	defer v.mu.Unlock()
	switch _, err := v.lookup(name); {
	case err == nil:
		return nil, pathError("create", name, disk.ErrExist)
	case !isNotExist(err):
		return nil, err
	}
	unnamed, f, err := v.createUnnamed(path.Dir(name))
	if err != nil {
		return nil, err
	}
	n := newNode(v, f)
	v.nodes[name] = n
	delete(v.gone, name)
	return n.open(), v.change(nameChange{op: disk.OpCreate, old: unnamed, new: name})
}

// createUnnamed makes a file that List won't show. Numbers of earlier lives may be taken.
func (v *Volatile) createUnnamed(dir string) (string, disk.File, error) {
	for {
		v.made++
		name := path.Join(dir, unnamedPrefix+strconv.Itoa(v.made))
		f, err := v.base.Create(name)
		if isExist(err) {
			continue
		}
		if err == nil {
			v.own[name] = true
		}
		return name, f, err
	}
}

// Open implements disk.FS.
func (v *Volatile) Open(name string) (disk.File, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	n, err := v.lookup(path.Clean(name))
	if err != nil {
		return nil, err
	}
	return n.open(), nil
}

// lookup finds what a name stands for. The caller holds v.mu.
func (v *Volatile) lookup(name string) (*node, error) {
	if n := v.nodes[name]; n != nil {
		return n, nil
	}
	if v.gone[name] {
		return nil, pathError("open", name, disk.ErrNotExist)
	}
	f, err := v.base.Open(name)
	if err != nil {
		return nil, err
	}
	n := newNode(v, f)
	v.nodes[name] = n
	return n, nil
}

// Rename implements disk.FS.
func (v *Volatile) Rename(oldname, newname string) error {
	oldname, newname = path.Clean(oldname), path.Clean(newname)
	v.mu.Lock()
	defer v.mu.Unlock()
	n, err := v.lookup(oldname)
	if err != nil {
		return err
	}
	if replaced := v.nodes[newname]; replaced != nil && replaced != n {
		replaced.unlink()
	}
	delete(v.nodes, oldname)
	v.nodes[newname] = n
	v.gone[oldname] = true
	delete(v.gone, newname)
	return v.change(nameChange{op: disk.OpRename, old: oldname, new: newname})
}

// Remove implements disk.FS.
func (v *Volatile) Remove(name string) error {
	name = path.Clean(name)
	v.mu.Lock()
	defer v.mu.Unlock()
	n, err := v.lookup(name)
	if err != nil {
		return err
	}
	n.unlink()
	delete(v.nodes, name)
	v.gone[name] = true
	return v.change(nameChange{op: disk.OpRemove, old: name})
}

// change notes a change of names, and sometimes makes the oldest ones durable at once.
func (v *Volatile) change(c nameChange) error {
	v.list = append(v.list, c)
	return v.apply(v.dice.names(len(v.list)))
}

// apply makes the first count changes of names in the base, in their order.
func (v *Volatile) apply(count int) error {
	if count == 0 {
		return nil
	}
	for ; count > 0; count-- {
		c := v.list[0]
		var err error
		if c.op == disk.OpRemove {
			err = v.base.Remove(c.old)
		} else {
			err = v.base.Rename(c.old, c.new)
		}
		if err != nil {
			return err
		}
		delete(v.own, c.old)
		v.list = v.list[1:]
	}
	if len(v.list) == 0 {
		clear(v.gone)
	}
	return v.forget()
}

// forget drops nodes that nothing keeps any more: their names are the base's, their data is synced.
func (v *Volatile) forget() error {
	if len(v.list) > 0 {
		return nil
	}
	var first error
	for name, n := range v.nodes { // in any order: each is closed for itself
		if !n.idle() {
			continue
		}
		delete(v.nodes, name)
		if err := n.base.Close(); first == nil {
			first = err
		}
	}
	return first
}

// SyncDir implements disk.FS.
func (v *Volatile) SyncDir(dir string) error {
	dir = path.Clean(dir)
	v.mu.Lock()
	defer v.mu.Unlock()
	count := 0
	for i, c := range v.list {
		if c.concerns(dir) {
			count = i + 1
		}
	}
	if err := v.apply(count); err != nil {
		return err
	}
	return v.base.SyncDir(dir)
}

// List implements disk.FS.
func (v *Volatile) List(dir string) ([]string, error) {
	dir = path.Clean(dir)
	v.mu.Lock()
	defer v.mu.Unlock()
	names, err := v.base.List(dir)
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		return v.gone[path.Join(dir, name)] || strings.HasPrefix(name, unnamedPrefix)
	})
	for name := range v.nodes {
		if path.Dir(name) == dir && !slices.Contains(names, path.Base(name)) {
			names = append(names, path.Base(name))
		}
	}
	slices.Sort(names)
	return names, nil
}

// MkdirAll implements disk.FS: what it makes is durable when it returns, so there is nothing to keep back.
func (v *Volatile) MkdirAll(dir string) error { return v.base.MkdirAll(dir) }

// Lock implements disk.FS, and removes what an earlier holder left without a name.
func (v *Volatile) Lock(name string) (io.Closer, error) {
	l, err := v.base.Lock(name)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return l, v.sweep(path.Dir(path.Clean(name)))
}

// sweep goes through dir and all below it.
func (v *Volatile) sweep(dir string) error {
	names, err := v.base.List(dir)
	if err != nil {
		return nil // a file, not a folder
	}
	for _, base := range names {
		name := path.Join(dir, base)
		if !strings.HasPrefix(base, unnamedPrefix) {
			if err := v.sweep(name); err != nil {
				return err
			}
			continue
		}
		if v.own[name] {
			continue
		}
		if err := v.base.Remove(name); err != nil {
			return err
		}
	}
	return nil
}
