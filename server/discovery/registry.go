package discovery

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Errors that end a join, in etcd's words.
var (
	// ErrNoSize: nobody has put the number of members.
	ErrNoSize = errors.New("discovery: size key not found")
	// ErrBadSize: it is not a positive number.
	ErrBadSize = errors.New("discovery: size key is bad")
	// ErrFull: others were first; the token was used for another cluster, or the
	// size is too small.
	ErrFull = errors.New("discovery: cluster is full")
	// ErrSameName: two members can't share a name, since --initial-cluster, which
	// is put together from them, takes it for one member.
	ErrSameName = errors.New("discovery: two members have the same name")
)

func prefix(token string) string          { return "/_etcd/registry/" + token }
func sizeKey(token string) string         { return prefix(token) + "/_config/size" }
func membersPrefix(token string) string   { return prefix(token) + "/members/" }
func memberKey(token, name string) string { return membersPrefix(token) + name }

// Self is who joins.
type Self struct {
	ID   uint64
	Name string
	// URLs are its peer URLs.
	URLs []string
}

func (s *Self) id() string { return strconv.FormatUint(s.ID, 16) }

// info is the value of its key.
func (s *Self) info() string {
	parts := make([]string, len(s.URLs))
	for i, u := range slices.Sorted(slices.Values(s.URLs)) {
		parts[i] = s.Name + "=" + u
	}
	return strings.Join(parts, ",")
}

// entry is a member's key.
type entry struct {
	id, info string
}

// name is what the entry's parts have before the "="; "" if the entry is of no use.
func (e *entry) name() string {
	first := ""
	for part := range strings.SplitSeq(e.info, ",") {
		name, url, ok := strings.Cut(part, "=")
		if !ok || name == "" || url == "" || first != "" && name != first {
			return ""
		}
		first = name
	}
	return first
}

// registry is what the service tells of a token.
type registry struct {
	size    int
	entries []entry // of use, by creation; more than size of them: too many came
	useless []entry
	// revision is that of the service.
	revision int64
}

// read takes the answers for the size and the members, the latter by creation.
func read(token string, size, members *clientv3.GetResponse) (*registry, error) {
	if len(size.Kvs) == 0 {
		return nil, ErrNoSize
	}
	n, err := strconv.Atoi(string(size.Kvs[0].Value))
	if err != nil || n <= 0 {
		return nil, fmt.Errorf("%w: %q", ErrBadSize, size.Kvs[0].Value)
	}
	r := &registry{size: n, revision: members.Header.Revision}
	for _, kv := range members.Kvs {
		e := entry{strings.TrimPrefix(string(kv.Key), membersPrefix(token)), string(kv.Value)}
		if e.name() == "" || strings.Contains(e.id, "/") {
			r.useless = append(r.useless, e)
			continue
		}
		r.entries = append(r.entries, e)
	}
	return r, nil
}

// members are those that count.
func (r *registry) members() []entry { return r.entries[:min(r.size, len(r.entries))] }

func (r *registry) complete() bool { return len(r.entries) >= r.size }

// place is the member's own entry among those that count; nil: it has none there.
func (r *registry) place(id string) *entry {
	for i, e := range r.members() {
		if e.id == id {
			return &r.entries[i]
		}
	}
	return nil
}

// cluster is what --initial-cluster would be.
func (r *registry) cluster() (string, error) {
	byName, parts := map[string]string{}, []string{}
	for _, e := range r.members() {
		if other, taken := byName[e.name()]; taken {
			return "", fmt.Errorf("%w: %s and %s are both named %q", ErrSameName, other, e.id, e.name())
		}
		byName[e.name()] = e.id
		parts = append(parts, e.info)
	}
	return strings.Join(parts, ","), nil
}
